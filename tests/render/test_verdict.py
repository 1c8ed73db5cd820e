"""The sentence at the end, and what stands above it."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import SINCE_6_6, device, group, machine, only

from iommu_inspect.audit.auditing import audit
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import ReservedRegion
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.audits.verdict import audit_text

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


def test_a_group_of_one_is_named_by_its_device_and_driver() -> None:
    mdev = device("83b8f4f2-509f", "nvidia-vgpu-vfio", bus="mdev", group="150")
    host = machine(group(mdev, id="150"))
    found = audit(host, only(SINCE_6_6), (find_target(host, "group:150"),))
    text = audit_text(found)
    assert text.startswith("READY  group 150  83b8f4f2-509f (nvidia-vgpu-vfio)  mdev")
    assert "readlink" not in text


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


def test_the_advice_does_not_repeat_what_a_finding_says() -> None:
    """A 1:1 mapping is the error, and the reason why there is no plan."""
    pinned = group(
        device("0000:04:00.0", "vfio-pci", group="4"),
        id="4",
        regions=(ReservedRegion(0x1000, 0x1FFF, "direct"),),
    )
    said = sentence(machine(pinned), "04:00.0")
    assert said.count("Firmware insists on a 1:1 mapping") == 1
    assert said.endswith("cannot be handed to user space: leave it to the host.")


def test_what_the_advice_looks_for_is_asked_for_once() -> None:
    said = sentence(machine(READY, UNTOLD), "03:00.0")
    assert "cannot tell: mixed-ownership" in said
    assert "Look at the driver on the host itself." not in said
    assert said.count("readlink ") == 1


def test_a_cost_is_said_once() -> None:
    disk = replace(
        device("0000:05:00.0", "ahci", group="5"),
        ids=PciIds(0x8086, 0x2922, class_code=0x010601),
    )
    said = sentence(machine(group(disk, id="5")), "05:00.0")
    assert said.count("It is a storage controller") <= 1


def test_a_device_without_a_driver_has_none_to_leave() -> None:
    free = group(device("0000:06:00.0", None, group="6"), id="6")
    said = sentence(machine(free), "06:00.0")
    assert "is bound to no driver" in said
    assert "leave its driver" not in said
