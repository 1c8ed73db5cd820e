"""Every way in which a group can grow, and the nearest machine that cannot."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import device, group, machine

from iommu_inspect.kernel.grouping.growth import Growing, Growth
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.model.device import Acs, Device, PciIds, SrIov
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.regs import PciExpType

ON, OFF = Acs(0x1D, 0x1D), Acs(0x1D, 0)


def placed(found: Device, path: str = "", **pci: Any) -> Device:
    facts = {"acs": None, "sriov": None, "hotplug_slot": False, **pci}
    where = f"sys/devices/pci0000:00{path}/{found.address}"
    return replace(found, path=where, pci=replace(found.pci, **facts))


def port(acs: Acs | None = ON, **pci: Any) -> Device:
    bridge = device("0000:00:01.0", "pcieport", bridge=True)
    return placed(bridge, acs=acs, pcie_type=PciExpType.ROOT_PORT, **pci)


def card(address: str = "0000:01:00.0", **pci: Any) -> Device:
    facts = {"pcie_type": PciExpType.ENDPOINT, **pci}
    return placed(device(address), "/0000:00:01.0", **facts)


def grows(asked: Group, *others: Group) -> Growth:
    return Growing(Grouping(machine(asked, *others))).growth(asked)


def ways(found: Growth) -> list[tuple[str, str]]:
    return [(way.address, way.how) for way in found.through]


def test_an_empty_hot_plug_slot_that_does_not_isolate() -> None:
    found = grows(group(port(OFF, hotplug_slot=True)))
    assert ways(found) == [("0000:00:01.0", "hot-plug slot, empty")]


@pytest.mark.parametrize(
    "bridge", [port(ON, hotplug_slot=True), port(OFF, hotplug_slot=False)]
)
def test_a_slot_that_isolates_or_takes_no_card_is_no_way(bridge: Device) -> None:
    assert grows(group(bridge)).can_grow is False


def test_a_slot_that_cannot_be_seen_is_no_sign_of_none() -> None:
    found = grows(group(port(OFF, hotplug_slot=Missing.TRUNCATED)))
    assert found.can_grow is not False


def test_a_slot_of_a_thunderbolt_device_is_named_as_such() -> None:
    outside = replace(port(OFF, hotplug_slot=True), removable="removable")
    ((_, how),) = ways(grows(group(outside)))
    assert "Thunderbolt" in how
    for inside in ("unknown", "fixed", Missing.ABSENT):
        found = grows(group(replace(outside, removable=inside)))
        assert ways(found) == [("0000:00:01.0", "hot-plug slot, empty")]


def test_a_conventional_bridge_has_free_slots() -> None:
    bridge = port(None)
    bridge = replace(bridge, pci=replace(bridge.pci, pcie_type=None))
    found = grows(group(bridge, card(pcie_type=None)))
    assert ways(found) == [("0000:00:01.0", "conventional bus with free slots")]


def test_sr_iov_below_a_port_that_does_not_isolate() -> None:
    function = card(sriov=SrIov(7, 128, 1))
    found = grows(group(port(OFF), function))
    assert ways(found) == [("0000:01:00.0", "SR-IOV: up to 7 virtual functions")]


def test_sr_iov_below_a_port_that_isolates_makes_new_groups() -> None:
    function = replace(card(sriov=SrIov(7, 128, 1)), group="2")
    found = grows(group(function, id="2"), group(port(ON)))
    assert found.can_grow is False


def test_sr_iov_that_cannot_be_seen_may_be_there() -> None:
    found = grows(group(port(OFF), card(sriov=Missing.TRUNCATED)))
    assert found.can_grow is None
    assert "SR-IOV" in found.untold[0].how


def test_sr_iov_that_cannot_be_seen_does_not_matter_behind_acs() -> None:
    hidden = replace(card(sriov=Missing.TRUNCATED), group="2")
    assert grows(group(hidden, id="2"), group(port(ON))).can_grow is False


def test_a_rescan_finds_more_functions_of_a_slot() -> None:
    first = replace(card(multifunction=True), group="2")
    found = grows(group(first, id="2"), group(port(ON)))
    assert ways(found) == [
        ("0000:01:00.0", "functions of its slot that a rescan finds")
    ]


@pytest.mark.parametrize("pci", [{"multifunction": False}, {"acs": ON}])
def test_one_function_or_isolated_ones_hide_no_sibling(pci: dict[str, Any]) -> None:
    first = replace(card(**{"multifunction": True, **pci}), group="2")
    assert grows(group(first, id="2"), group(port(ON))).can_grow is False


def test_functions_whose_acs_cannot_be_seen_may_get_siblings() -> None:
    first = replace(card(multifunction=True, acs=Missing.TRUNCATED), group="2")
    found = grows(group(first, id="2"), group(port(ON)))
    assert found.can_grow is None


def test_vmd_brings_what_is_behind_it() -> None:
    vmd = placed(device("0000:00:0e.0"), pcie_type=PciExpType.RC_END)
    ids = PciIds(0x8086, 0x467F, class_code=0x010400)
    ((_, how),) = ways(grows(group(replace(vmd, ids=ids))))
    assert how.startswith("VMD")
    assert grows(group(vmd)).can_grow is False


def test_what_is_no_pci_function_is_for_its_iommu_to_decide() -> None:
    other = Device(DeviceId("dev0", "platform"), "sys/devices/platform/dev0", group="1")
    assert grows(group(other)).can_grow is None
