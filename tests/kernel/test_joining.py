"""Whose group a device joins, and what keeps two devices apart, on small machines."""

from __future__ import annotations

from dataclasses import replace

from builders import device, group, machine
from placed import CARD1, CARD2, OFF, ON, RP1, RP2, at, port

from iommu_inspect.kernel.grouping.making.joining import Grouping, Mechanism
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.grouping.telling.pairs import apart
from iommu_inspect.kernel.grouping.telling.sharing import pair
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType


def alone(*devices: Device) -> Machine:
    """A machine on which each device has a group of its own."""
    return machine(
        *(
            group(replace(one, group=str(n)), id=str(n))
            for n, one in enumerate(devices, 1)
        )
    )


def why_apart(*devices: Device) -> str:
    found = alone(*devices)
    first, second = (g.devices[0] for g in found.groups[:2])
    return apart(Grouping(found), first, second)


def test_cards_below_ports_that_isolate_have_ids_of_their_own() -> None:
    assert "different requester ids" in why_apart(CARD1, CARD2, RP1, RP2)


def test_ports_that_do_not_isolate_are_apart_by_the_slots_of_the_root_bus() -> None:
    bare = [replace(p, pci=replace(p.pci, acs=None)) for p in (RP1, RP2)]
    assert "their ways meet only at the root" in why_apart(CARD1, CARD2, *bare)


def test_without_configuration_space_what_keeps_cards_apart_is_not_told() -> None:
    cut = Missing.TRUNCATED
    hidden = replace(RP1, pci=replace(RP1.pci, acs=cut, pcie_type=cut))
    assert "only root can read" in why_apart(CARD1, CARD2, hidden, RP2)


SWITCH = port("0000:01:00.0", ON, "/0000:00:01.0", PciExpType.UPSTREAM)
BELOW = "/0000:00:01.0/0000:01:00.0"
DOWNS = [port(f"0000:02:0{n}.0", OFF, BELOW, PciExpType.DOWNSTREAM) for n in (0, 1)]
CARDS = [at(f"0000:0{n + 3}:00.0", f"{BELOW}/0000:02:0{n}.0") for n in (0, 1)]


def test_slots_of_one_bus_are_apart_where_all_above_isolates() -> None:
    told = why_apart(*CARDS, RP1, SWITCH, *DOWNS)
    assert "their ways meet below 0000:01:00.0" in told
    leaky = replace(RP1, pci=replace(RP1.pci, acs=None))
    assert "below" not in why_apart(*CARDS, leaky, SWITCH, *DOWNS)


def test_a_bridge_is_apart_from_what_leaks_below_it_if_it_isolates_itself() -> None:
    told = why_apart(CARDS[0], RP1, SWITCH, *DOWNS)
    assert told.startswith("0000:00:01.0 is above the other")
    leaky = replace(RP1, pci=replace(RP1.pci, acs=OFF))
    assert "isolates (ACS)" not in why_apart(CARDS[0], leaky, SWITCH, *DOWNS)


def test_functions_of_one_slot_are_apart_if_one_keeps_its_requests() -> None:
    facts = {"multifunction": True, "acs": ON}
    one = at("0000:01:00.0", "/0000:00:01.0", **facts)
    two = at("0000:01:00.1", "/0000:00:01.0", **facts)
    assert "0000:01:00.0 keeps its requests from the others" in why_apart(one, two, RP1)


def test_what_is_no_pci_function_or_behind_a_vmd_is_not_explained() -> None:
    other = device("dev0", None, bus="platform")
    assert "no PCI function" in why_apart(CARD1, other)
    behind = replace(
        device("10000:e1:00.0"),
        path="sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e1:00.0",
    )
    assert "behind a VMD" in why_apart(CARD1, behind)


def test_a_card_that_answers_as_function_1_shares_its_group() -> None:
    marvell = PciIds(0x1B4B, 0x9230, class_code=0x010600)
    facts = {"multifunction": True, "ids": marvell}
    one = at("0000:01:00.0", "/0000:00:01.0", **facts)
    two = at("0000:01:00.1", "/0000:00:01.0", **facts)
    found = machine(group(RP1, id="0"), group(one, two))
    grouping, again = Grouping(found), recompute(found)
    told = pair(grouping, again, *found.groups[1].devices)
    assert told.shared is True
    assert told.mechanism == "alias-quirk"
    assert "use one requester id" in told.evidence


def test_a_neighbour_whose_ids_are_hidden_may_share_the_requester_id() -> None:
    marvell = PciIds(0x1B4B, 0x9230, class_code=0x010600)
    one = at("0000:01:00.0", "/0000:00:01.0", ids=marvell)
    two = at("0000:01:00.1", "/0000:00:01.0", ids=PciIds())
    found = machine(group(RP1, id="0"), group(one, two))
    placed = Grouping(found).place(one, lambda _: True)
    assert placed.mechanism is Mechanism.UNKNOWN


def test_a_quirk_that_says_no_counts_more_than_registers() -> None:
    wangxun = PciIds(0x8088, 0x0200, class_code=0x020000)
    nic = at("0000:01:00.0", "/0000:00:01.0", ids=wangxun)
    assert Grouping(machine(group(nic))).isolates(nic) is False


def test_whose_group_a_newcomer_joins_needs_the_groups_above_it() -> None:
    grouping = Grouping(machine(group(RP1), groups_known=False))
    assert grouping.newcomer([RP1]).new is None
    assert Grouping(machine()).newcomer([]).new is False
    untold = replace(RP1, group=Missing.ABSENT)
    joins = Grouping(machine(group(CARD2), ungrouped=[untold])).newcomer([untold])
    assert "does not tell the group of 0000:00:01.0" in joins.because
    nowhere = replace(RP1, path="sys/bus/pci/devices/0000:00:01.0")
    joins = Grouping(machine(group(nowhere))).newcomer([nowhere])
    assert joins.new is None
    assert Grouping(machine(group(nowhere))).newcomer_beside(nowhere).new is None


def test_a_bridge_of_a_kind_that_is_not_shown_leaves_all_above_open() -> None:
    hidden = port("0000:00:01.0", ON, kind=Missing.DENIED)
    found = machine(group(hidden, CARD1))
    placed = Grouping(found).place(CARD1, lambda _: True)
    assert placed.mechanism is Mechanism.UNKNOWN


def test_what_is_no_pci_function_or_has_no_place_is_placed_nowhere() -> None:
    other = device("dev0", None, bus="platform")
    lost = replace(CARD1, path="sys/bus/pci/devices/0000:01:00.0")
    grouping = Grouping(machine(group(other, lost)))
    for one in (other, lost):
        assert grouping.place(one, lambda _: True).mechanism is Mechanism.UNKNOWN


def test_a_function_whose_sibling_is_hidden_cannot_be_placed() -> None:
    hidden = {"multifunction": True, "acs": Missing.TRUNCATED}
    one = at("0000:01:00.0", "/0000:00:01.0", multifunction=True)
    two = at("0000:01:00.1", "/0000:00:01.0", **hidden)
    found = machine(group(RP1, id="0"), group(one, two))
    placed = [Grouping(found).place(each, lambda _: True) for each in (one, two)]
    assert {each.mechanism for each in placed} == {Mechanism.UNKNOWN}
