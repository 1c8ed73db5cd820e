"""The sentence at the end, and what stands above it."""

from __future__ import annotations

import pytest
from builders import SINCE_6_6, device, group, machine, only

from iommu_inspect.audit.auditing import audit
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.target import find_target
from iommu_inspect.render.verdict import audit_text

READY = group(device("0000:01:00.0", "vfio-pci"))
MIXED = group(
    device("0000:02:00.0", "vfio-pci", group="2"),
    device("0000:02:00.1", "ahci", group="2"),
    id="2",
)
UNTOLD = group(
    device("0000:03:00.0", "vfio-pci", group="3"),
    device("0000:03:00.1", Missing.DENIED, group="3"),
    id="3",
)


def sentence(host: Machine, *targets: str) -> str:
    found = tuple(find_target(host, text) for text in targets)
    text = audit_text(audit(host, only(SINCE_6_6), found))
    lines = [line for line in text.splitlines() if not line.startswith("(")]
    return " ".join(" ".join(lines).split())


@pytest.mark.parametrize(
    ("targets", "wanted"),
    [
        (("01:00.0",), "0000:01:00.0 can be handed to user space now."),
        (("group:1",), "group 1 can be handed to user space now."),
        (
            ("02:00.0",),
            "0000:02:00.0 cannot be handed to user space now. These steps, tried on "
            "the state that was read, make it ready (as root, until the next boot): "
            "echo vfio-pci > /sys/bus/pci/devices/0000:02:00.1/driver_override "
            "echo 0000:02:00.1 > /sys/bus/pci/drivers/ahci/unbind "
            "echo 0000:02:00.1 > /sys/bus/pci/drivers_probe "
            "The undo, every boot and the guest's side: iommu-inspect plan 02:00.0",
        ),
        (
            ("03:00.0",),
            "Whether 0000:03:00.0 can be handed to user space cannot be told yet. "
            "First look, on the host itself (nothing is changed): "
            "readlink /sys/bus/pci/devices/0000:03:00.1/driver as it should be: ends",
        ),
        (
            ("01:00.0", "02:00.0", "03:00.0"),
            "0000:02:00.0 cannot be handed to user space now. First look,",
        ),
        (
            (),
            "1 thing is wrong. To go on with 0000:02:00.0: "
            "echo vfio-pci > /sys/bus/pci/devices/0000:02:00.1/driver_override",
        ),
    ],
)
def test_the_last_sentence_says_what_to_do(
    targets: tuple[str, ...], wanted: str
) -> None:
    assert wanted in sentence(machine(READY, MIXED, UNTOLD), *targets)


def test_a_host_in_order_is_said_to_be() -> None:
    wanted = "Nothing is wrong with the IOMMU groups of this host."
    assert sentence(machine(READY)).endswith(wanted)


def test_many_names_are_cut_short() -> None:
    groups = [
        group(device(f"0000:0{n}:00.0", "vfio-pci", group=str(n)), id=str(n))
        for n in range(1, 6)
    ]
    targets = [f"0{n}:00.0" for n in range(1, 6)]
    assert sentence(machine(*groups), *targets).endswith(
        "0000:01:00.0, 0000:02:00.0, 0000:03:00.0 and 2 more can be handed to user "
        "space now."
    )


def test_each_target_has_its_own_line_in_the_order_asked_for() -> None:
    host = machine(READY, MIXED, UNTOLD)
    found = tuple(find_target(host, text) for text in ("03:00.0", "01:00.0", "group:2"))
    text = audit_text(audit(host, only(SINCE_6_6), found))
    assert text.splitlines()[:3] == [
        "UNKNOWN  0000:03:00.0  group 3  Ethernet controller [8086:1234]",
        "READY  0000:01:00.0  group 1  Ethernet controller [8086:1234]",
        "BLOCKED  group 2  Ethernet controller [8086:1234] and 1 more",
    ]


def test_the_worst_comes_first() -> None:
    stranger = device("0000:05:00.0", "vfio-pci", group="9")
    another = device("0000:06:00.0", "vfio-pci", group="9")
    strangers = group(stranger, another, id="9")
    host = machine(READY, MIXED, strangers)
    text = audit_text(audit(host, only(SINCE_6_6)), notes=True)
    heads = [line for line in text.splitlines() if line.startswith(("e", "w", "i"))]
    order = [head.split(":")[0] for head in heads]
    assert order == sorted(order, key=["error", "warning", "info"].index)
    assert len(set(order)) == 3
