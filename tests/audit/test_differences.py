"""What counts as a difference between two sources, and what does not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from big_host import big_host
from builders import device, group, machine
from counting import calls
from differing import Card, compared, host, renumbered, seen
from examples import each
from hypothesis import given, settings
from hypothesis import strategies as st
from running import read
from shared import SYSFS

from iommu_inspect.audit.differences.differing import Side, What
from iommu_inspect.audit.differences.regrouping import Kind
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.machine import Machine, Source

TREES = sorted(path for path in SYSFS.iterdir() if path.is_dir())
NIC = Card(0, 0x10D3, "e1000e")
DISK = Card(0, 0xA808, "nvme")
ROOT = Card(0, 0x2F00)
GPU = Card(0, 0x1E04, "nouveau")


def port(slot: int, *below: Card, group: str = "") -> Card:
    return Card(slot, 0x2F02, group=group, below=below)


def cards(depth: int = 2) -> st.SearchStrategy[tuple[Card, ...]]:
    """Draw cards for some slots; few ids and few groups, so that many are alike."""
    leaf = st.builds(
        Card,
        slot=st.just(0),
        device=st.sampled_from([0x10, 0x11, 0x12]),
        driver=st.sampled_from([None, "nvme", "vfio-pci"]),
        group=st.sampled_from(["", "", "1", "2", "3"]),
    )
    kinds: st.SearchStrategy[Card] = leaf
    if depth:
        below = cards(depth - 1)
        kinds = leaf | st.builds(
            Card,
            st.just(0),
            st.just(0x20),
            group=st.sampled_from(["", "1"]),
            below=below,
        )
    return st.lists(kinds, max_size=3).map(
        lambda found: tuple(replace(c, slot=n) for n, c in enumerate(found))
    )


HOSTS = st.builds(host, cards(), shown=st.booleans())


@given(HOSTS)
@settings(max_examples=60, deadline=None)
def test_a_host_does_not_differ_from_itself(one: Machine) -> None:
    assert compared(one, one).same is True


@each("tree", TREES)
def test_no_tree_differs_from_itself(tree: Any) -> None:
    one = read(tree)
    found = compared(one, one)
    assert found.same is (True if one.groups_known else None), seen(found)


@given(HOSTS, st.randoms())
@settings(max_examples=60, deadline=None)
def test_renumbered_groups_are_no_difference(one: Machine, random: Any) -> None:
    ids = [group.id for group in one.groups]
    others = [str(number) for number in range(100, 100 + len(ids))]
    random.shuffle(others)
    other = renumbered(one, dict(zip(ids, others, strict=True)))
    assert compared(one, other).same is True


@given(HOSTS, HOSTS)
@settings(max_examples=150, deadline=None)
def test_looking_back_is_the_same_the_other_way_round(
    one: Machine, other: Machine
) -> None:
    there, back = compared(one, other), compared(other, one)
    assert seen(there) == seen(back, backwards=True)
    assert there.same is back.same


@given(cards(), st.integers(0, 3))
@settings(max_examples=80, deadline=None)
def test_a_new_card_shifts_the_others_and_changes_nothing_of_them(
    there: tuple[Card, ...], above: int
) -> None:
    """The tree shows it: slots stay what they are when buses get other numbers."""
    moved = tuple(replace(card, slot=card.slot + 4) for card in there)
    new = port(above, replace(GPU, group="new"), group="port")
    before, after = host(moved), host((new, *moved))
    found = compared(before, after)
    assert [d.ids.pair for d in found.added] == ["8086:2f02", "8086:1e04"]
    assert not found.removed
    assert not found.alike
    assert not found.drivers
    assert not found.owners
    assert not found.groups
    deep = [d for d in before.devices if d.pci_address and d.pci_address.bus]
    assert len(found.shifted) == len(deep)


def listing(*cards: Card) -> Machine:
    return host([ROOT, *cards], shown=False)


def test_without_a_tree_the_ids_find_a_shifted_device() -> None:
    old = listing(port(2, NIC), port(3, DISK))
    new = listing(port(1, GPU), port(2, NIC), port(3, DISK))
    found = compared(old, new)
    shifts = [(p.before.address, p.after.address) for p in found.shifted]
    assert shifts == [
        ("0000:01:00.0", "0000:02:00.0"),
        ("0000:02:00.0", "0000:03:00.0"),
    ]
    assert [d.address for d in found.added] == ["0000:00:01.0", "0000:01:00.0"]


def test_which_of_two_alike_is_which_is_not_guessed() -> None:
    there = (port(2, DISK), port(3, DISK))
    old, new = listing(*there), listing(port(1, GPU), *there)
    (alike,) = compared(old, new).alike
    assert [d.address for d in alike.before] == ["0000:01:00.0", "0000:02:00.0"]
    assert [d.address for d in alike.after] == ["0000:02:00.0", "0000:03:00.0"]
    assert compared(old, new).same is False
    # Where the tree is shown, the slots tell.
    found = compared(host(there), host((port(1, GPU), *there)))
    assert not found.alike
    assert len(found.shifted) == 2


def test_alike_devices_that_stay_where_they_are_stay_the_same() -> None:
    """One more of them at the end moves nothing that anybody saw move."""
    there = (port(1, DISK), port(2, DISK))
    found = compared(listing(*there), listing(*there, port(3, DISK)))
    assert not found.alike
    assert [d.address for d in found.added] == ["0000:00:03.0", "0000:03:00.0"]


def test_two_cards_that_move_below_a_new_switch_are_found_by_their_bridges() -> None:
    """The functions are alike, and each hangs below a bridge that is not."""
    left = Card(1, 0x31, below=(DISK,))
    right = Card(2, 0x32, below=(DISK,))
    old = host([left, right])
    new = host([Card(0, 0x30, below=(left, right))])
    found = compared(old, new)
    assert [d.ids.pair for d in found.added] == ["8086:0030"]
    assert not found.alike
    assert len(found.shifted) == 4


def test_another_card_in_the_same_slot_is_another_device() -> None:
    found = compared(host([port(1, NIC)]), host([port(1, GPU)]))
    assert [d.ids.pair for d in found.added] == ["8086:1e04"]
    assert [d.ids.pair for d in found.removed] == ["8086:10d3"]
    assert not found.drivers


KINDS = [
    # groups of four functions before and after, and what that is
    ("1234", "1111", [Kind.MERGED]),
    ("1111", "1234", [Kind.SPLIT]),
    ("1112", "1122", [Kind.MOVED]),
    ("1122", "1212", [Kind.REGROUPED]),
    ("1122", "3344", []),
    ("1122", "1133", []),
    ("1123", "2211", [Kind.MERGED]),
]


@each("before, after, kinds", KINDS)
def test_what_became_of_groups_has_a_name(
    before: str, after: str, kinds: list[Kind]
) -> None:
    one, other = (
        host([Card(n, 0x10 + n, "ahci", name) for n, name in enumerate(names)])
        for names in (before, after)
    )
    found = compared(one, other)
    assert [r.kind for r in found.groups] == kinds
    assert found.same is (not kinds)


def test_the_member_that_moved_is_named() -> None:
    one, other = (
        host([Card(n, 0x10 + n, "ahci", name) for n, name in enumerate(names)])
        for names in ("1112", "1122")
    )
    (change,) = compared(one, other).groups
    assert [p.pair.after.address for p in change.moved] == ["0000:00:02.0"]


def test_new_devices_in_a_group_make_it_larger() -> None:
    alone = Card(1, 0x10, "e1000e", "5")
    beside = Card(2, 0x11, "ahci", "5")
    found = compared(host([alone]), host([alone, beside]))
    (change,) = found.groups
    assert change.kind is Kind.GROWN
    assert [d.address for d in change.joined] == ["0000:00:02.0"]
    (change,) = compared(host([alone, beside]), host([alone])).groups
    assert change.kind is Kind.SHRUNK


def test_a_group_on_vfio_that_a_driver_of_the_host_joins_is_a_conflict() -> None:
    users = [Card(1, 0x10, "vfio-pci", "1"), Card(2, 0x11, "ahci", "2")]
    both = [replace(card, group="1") for card in users]
    found = compared(host(users), host(both))
    assert [r.kind for r in found.groups] == [Kind.MERGED]
    assert {(o.before.value, o.after.value) for o in found.owners} == {
        ("user", "conflict"),
        ("kernel", "conflict"),
    }
    (worse,) = found.prospects
    assert worse.worse
    assert [p.pair.after.address for p in worse.members] == ["0000:00:01.0"]


def test_a_driver_that_one_source_does_not_show_is_no_change() -> None:
    old = machine(group(device("0000:00:01.0", "ahci")))
    new = machine(group(device("0000:00:01.0", Missing.ABSENT)))
    for one, other, side in ((old, new, Side.AFTER), (new, old, Side.BEFORE)):
        found = compared(one, other)
        assert not found.drivers
        assert not found.owners
        assert not found.prospects
        assert (What.DRIVERS, side) in [(u.what, u.side) for u in found.uncompared]
        assert found.same is None


def test_groups_that_one_source_does_not_show_are_no_change() -> None:
    old = machine(group(device("0000:00:01.0", "ahci")))
    apart = device("0000:00:01.0", "ahci", group=Missing.ABSENT)
    new = machine(ungrouped=[apart], groups_known=False)
    found = compared(old, new)
    assert not found.groups
    assert not found.ungrouped
    assert found.same is None
    # That there are none is another matter: an IOMMU that is off now.
    off = machine(ungrouped=[replace(apart, group=None)])
    found = compared(old, off)
    assert [p.pair.after.address for p in found.ungrouped] == ["0000:00:01.0"]
    assert found.same is False


def test_what_a_part_of_a_text_leaves_out_is_not_gone() -> None:
    whole = host([Card(0, 0x1), port(1, NIC), port(2, DISK)])
    part = host([port(1, NIC)], shown=False)
    found = compared(whole, part)
    assert not found.removed
    (hidden,) = [u for u in found.uncompared if u.what is What.DEVICES]
    assert hidden.side is Side.AFTER
    assert found.same is None


def bare(host: Machine) -> Machine:
    """Take ids and classes away, as a listing of links does."""

    def stripped(each: Device) -> Device:
        return replace(each, ids=PciIds(), path=Missing.ABSENT)

    groups = [replace(g, devices=tuple(map(stripped, g.devices))) for g in host.groups]
    return replace(host, groups=tuple(groups), source=Source("listing", "links"))


def test_what_only_an_address_speaks_for_is_said_to_be_that() -> None:
    whole = host([Card(0, 0x1), port(1, NIC), port(2, DISK)])
    found = compared(whole, bare(whole))
    assert not found.alike
    assert [p.after.address for p in found.matching.by_address] == [
        "0000:01:00.0",
        "0000:02:00.0",
    ]


def test_an_answer_that_hangs_on_what_one_source_shows_is_no_change() -> None:
    """The command line and the modules of one source are not known."""
    both = [Card(1, 0x10, "vfio-pci", "1"), Card(2, 0x11, "ahci", "2")]
    one = host(both)
    merged = host([replace(card, group="1") for card in both], kernel=Kernel())
    found = compared(one, merged)
    assert not found.prospects
    (untold,) = [u for u in found.uncompared if u.what is What.VERDICTS]
    assert "the kernel's command line" in untold.lacking


SETTINGS = [
    ("6.1.0", "quiet", "6.1.0", "quiet", []),
    ("6.1.0", "quiet", "6.2.0", "quiet", [("kernel", ("6.1.0",), ("6.2.0",))]),
    (
        "6.1.0",
        "BOOT_IMAGE=/a root=/dev/sda1 quiet iommu=pt",
        "6.1.0",
        "BOOT_IMAGE=/b root=UUID=x intel_iommu=on quiet",
        [("command line", ("iommu=pt",), ("intel_iommu=on",))],
    ),
    ("6.1.0", "quiet", Missing.ABSENT, Missing.DENIED, []),
]


@each("release, line, new_release, new_line, changes", SETTINGS)
def test_settings_are_compared_where_both_sources_tell(
    release: Any, line: Any, new_release: Any, new_line: Any, changes: Any
) -> None:
    one = host([NIC], kernel=Kernel(release, line))
    other = host([NIC], kernel=Kernel(new_release, new_line))
    found = compared(one, other).settings
    assert [(s.name, s.before, s.after) for s in found] == changes


@pytest.mark.no_cover
def test_twice_the_functions_take_twice_the_calls() -> None:
    def spent(functions: int) -> int:
        one = big_host(functions, 0)
        other = renumbered(one, {g.id: f"9{g.id}" for g in one.groups})
        assert compared(one, other).same is True
        return calls(lambda: compared(one, other))

    assert spent(1000) < 2.3 * spent(500)
