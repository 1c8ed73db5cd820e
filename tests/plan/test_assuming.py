"""What a plan supposes is no more than what it needs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import device, group, machine

from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.pci.regs import PciHeaderType
from iommu_inspect.plan.decision.assuming import assume


def _of_no_kind(address: str, **more: Any) -> Device:
    """Nothing tells whether it is a bridge."""
    found = device(address, "nvme", **more)
    return replace(
        found,
        ids=PciIds(0x8086, 0x1234, class_code=Missing.UNREADABLE),
        pci=replace(found.pci, header_type=Missing.UNREADABLE),
    )


def _supposed(*members: Device, asked: str) -> dict[str, Device]:
    host = machine(group(*members))
    found = assume(host, [find_target(host, asked)]).machine
    return {device.address: device for device in found.devices}


def test_only_what_was_asked_for_by_name_is_supposed_to_be_an_endpoint() -> None:
    first, second = _of_no_kind("0000:03:00.0"), _of_no_kind("0000:03:00.1")
    named = _supposed(first, second, asked="03:00.0")
    assert named["0000:03:00.0"].pci.header_type is PciHeaderType.NORMAL
    assert named["0000:03:00.1"] == second

    whole = _supposed(first, second, asked="group:1")
    assert list(whole.values()) == [first, second]


def test_what_is_told_of_its_header_stays() -> None:
    bridge = device("0000:02:00.0", "pcieport", bridge=True)
    other = _of_no_kind("0000:03:00.0", bus=Missing.UNREADABLE)
    found = _supposed(bridge, other, asked="02:00.0")
    assert found["0000:02:00.0"] == bridge
    assert found["0000:03:00.0"] == other
