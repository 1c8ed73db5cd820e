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
    lines = text.rsplit("\n\n", 1)[-1].splitlines()
    return " ".join(line for line in lines if not line.startswith("("))


@pytest.mark.parametrize(
    ("targets", "wanted"),
    [
        (("01:00.0",), "0000:01:00.0 can be handed to user space now."),
        (("group:1",), "group 1 can be handed to user space now."),
        (
            ("02:00.0",),
            "0000:02:00.0 cannot be handed to user space: take 0000:02:00.1 off its "
            "driver.",
        ),
        (
            ("03:00.0",),
            "Whether 0000:03:00.0 can be handed to user space cannot be told: find out "
            "which driver 0000:03:00.1 has.",
        ),
        (
            ("01:00.0", "02:00.0", "03:00.0"),
            "0000:02:00.0 cannot be handed to user space: take 0000:02:00.1 off its "
            "driver.",
        ),
        ((), "1 thing is wrong: take 0000:02:00.1 off its driver."),
    ],
)
def test_the_last_sentence_says_what_to_do(
    targets: tuple[str, ...], wanted: str
) -> None:
    assert sentence(machine(READY, MIXED, UNTOLD), *targets) == wanted


def test_a_host_in_order_is_said_to_be() -> None:
    wanted = "Nothing is wrong with the IOMMU groups of this host."
    assert sentence(machine(READY)) == wanted


def test_many_names_are_cut_short() -> None:
    groups = [
        group(device(f"0000:0{n}:00.0", "vfio-pci", group=str(n)), id=str(n))
        for n in range(1, 6)
    ]
    targets = [f"0{n}:00.0" for n in range(1, 6)]
    assert sentence(machine(*groups), *targets) == (
        "0000:01:00.0, 0000:02:00.0, 0000:03:00.0 and 2 more can be handed to user "
        "space now."
    )


def test_each_target_has_its_own_line_in_the_order_asked_for() -> None:
    host = machine(READY, MIXED, UNTOLD)
    found = tuple(find_target(host, text) for text in ("03:00.0", "01:00.0", "group:2"))
    text = audit_text(audit(host, only(SINCE_6_6), found))
    assert text.splitlines()[:3] == [
        "UNKNOWN  0000:03:00.0  group 3",
        "READY  0000:01:00.0  group 1",
        "BLOCKED  group 2",
    ]


def test_a_group_of_one_is_named_by_its_device_and_driver() -> None:
    mdev = device("83b8f4f2-509f", "nvidia-vgpu-vfio", bus="mdev", group="150")
    host = machine(group(mdev, id="150"))
    found = audit(host, only(SINCE_6_6), (find_target(host, "group:150"),))
    text = audit_text(found)
    assert text.startswith("READY  group 150  83b8f4f2-509f (nvidia-vgpu-vfio)\n")
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
