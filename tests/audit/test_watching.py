"""What changes between two moments of one host is told once, in order."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from happening import (
    captured,
    event,
    following,
    judged,
    many_functions,
    on,
    without,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from iommu_inspect.audit.watching.changes import (
    DeviceChange,
    FindingChange,
    OwnerChange,
    finding_changes,
    owner_changes,
)
from iommu_inspect.audit.watching.following import Told, follow
from iommu_inspect.audit.watching.state import State
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.events import Burst
from iommu_inspect.model.fact import Missing

# A NIC, 01:00.0, alone; two of them, 03:01.0 and 03:02.0, behind one bridge: group 7.
USED = captured("6.12-reference-2")
BOTH_ON_KERNEL = on(USED, pci_03_01_0="e1000", pci_03_02_0="e1000")


def devices(told: Told) -> list[tuple[str, str, str | None, str | None]]:
    return [
        (c.event.action.value, str(c.event.device), c.driver, c.group)
        for c in told.changes
        if isinstance(c, DeviceChange)
    ]


def owners(told: Told) -> list[tuple[str, str | None, str | None]]:
    return [
        (
            c.group,
            None if c.before is None else c.before.ownership.value,
            None if c.after is None else c.after.ownership.value,
        )
        for c in told.changes
        if isinstance(c, OwnerChange)
    ]


def rules(told: Told) -> list[tuple[str, bool]]:
    """The rules of findings that appeared (true), or are gone."""
    return [
        (c.finding.rule, c.after is not None)
        for c in told.changes
        if isinstance(c, FindingChange) and (c.before is None or c.after is None)
    ]


def test_a_driver_that_lets_go_is_named_although_the_event_does_not() -> None:
    (told,) = following(
        USED, Burst((event("unbind", "pci_01_00_0"),)), on(USED, pci_01_00_0=None)
    )
    assert devices(told) == [("unbind", "0000:01:00.0", "vfio-pci", "6")]
    assert owners(told) == [("6", "user", "none")]


def test_a_conflict_names_who_is_on_which_driver() -> None:
    (told,) = following(
        on(USED, pci_03_02_0=None),
        Burst((event("bind", "pci_03_02_0", "e1000"),)),
        on(USED, pci_03_02_0="e1000"),
    )
    assert owners(told) == [("7", "user", "conflict")]
    (change,) = [c for c in told.changes if isinstance(c, OwnerChange)]
    assert change.after is not None
    assert [str(d.id) for d in change.after.kernel] == ["0000:03:02.0"]
    assert [str(d.id) for d in change.after.user] == ["0000:03:01.0"]
    assert ("mixed-ownership", True) in rules(told)


def test_a_conflict_that_ends_takes_its_finding_along() -> None:
    mixed = on(USED, pci_03_02_0="e1000")
    (told,) = following(
        mixed, Burst((event("unbind", "pci_03_02_0"),)), on(mixed, pci_03_02_0=None)
    )
    assert owners(told) == [("7", "conflict", "user")]
    assert ("mixed-ownership", False) in rules(told)
    assert not any(there for rule, there in rules(told) if rule == "mixed-ownership")


def test_a_conflict_of_others_is_another_one() -> None:
    one, other = on(USED, pci_03_01_0="e1000"), on(USED, pci_03_02_0="e1000")
    (change,) = owner_changes(judged(one), judged(other))
    assert change.before and change.after
    assert change.before.ownership is change.after.ownership is Ownership.CONFLICT
    assert change.before.kernel != change.after.kernel


def test_what_was_bound_and_let_go_in_one_burst_is_told_in_order() -> None:
    bare = on(USED, pci_01_00_0=None)
    there_and_back = [
        event("bind", "pci_01_00_0", "e1000e"),
        event("unbind", "pci_01_00_0"),
        event("bind", "pci_01_00_0", "pci-stub"),
        event("unbind", "pci_01_00_0"),
    ]
    (told,) = following(bare, Burst(tuple(there_and_back)), bare)
    assert [(action, driver) for action, _, driver, _ in devices(told)] == [
        ("bind", "e1000e"),
        ("unbind", "e1000e"),
        ("bind", "pci-stub"),
        ("unbind", "pci-stub"),
    ]
    assert len(told.changes) == 4  # and nothing is otherwise than before


def test_events_are_told_before_the_host_is_read() -> None:
    """To read a large host takes longer than to say that a driver let go."""
    bare = judged(on(USED, pci_01_00_0=None))
    read: list[str] = []

    def reading(_state: State, _burst: Burst) -> State:
        read.append("read")
        return bare

    burst = Burst((event("unbind", "pci_01_00_0"),))
    telling = follow(judged(USED), [burst], lambda _: {}, reading)
    assert devices(next(telling)) == [("unbind", "0000:01:00.0", "vfio-pci", "6")]
    assert read == []
    assert owners(next(telling)) == [("6", "user", "none")]
    assert list(telling) == []


def test_a_reading_that_was_ahead_of_the_events_loses_no_driver() -> None:
    """What was read may already be after the next burst."""
    bare, bound = on(USED, pci_01_00_0=None), USED
    told = following(
        bound,
        Burst((event("unbind", "pci_01_00_0"),)),
        bound,  # bound again when it was read
        Burst((event("bind", "pci_01_00_0", "vfio-pci"),)),
        bare,  # let go again
        Burst((event("unbind", "pci_01_00_0"),)),
        bare,
    )
    assert [devices(each)[0][:3:2] for each in told] == [
        ("unbind", "vfio-pci"),
        ("bind", "vfio-pci"),
        ("unbind", "vfio-pci"),
    ]


def test_an_unknown_driver_stays_unknown() -> None:
    untold = on(USED, pci_01_00_0=Missing.UNREADABLE)
    (told,) = following(
        untold, Burst((event("unbind", "pci_01_00_0"),)), on(USED, pci_01_00_0=None)
    )
    assert devices(told) == [("unbind", "0000:01:00.0", None, "6")]


def test_a_group_of_which_a_driver_cannot_be_told_has_an_unknown_owner() -> None:
    untold = on(USED, pci_01_00_0=Missing.UNREADABLE)
    (told,) = following(USED, Burst(), untold)
    assert owners(told) == [("6", "user", "unknown")]


def test_a_device_that_is_gone_is_told_with_the_group_that_it_was_in() -> None:
    events = (event("unbind", "pci_01_00_0"), event("remove", "pci_01_00_0"))
    (told,) = following(USED, Burst(events), without(USED, "pci_01_00_0"))
    assert devices(told) == [
        ("unbind", "0000:01:00.0", "vfio-pci", "6"),
        ("remove", "0000:01:00.0", None, "6"),
    ]
    assert owners(told) == [("6", "user", None)]


def test_a_device_that_came_and_went_is_told_without_a_group() -> None:
    events = (event("add", "pci_0a_00_0"), event("remove", "pci_0a_00_0"))
    (told,) = following(USED, Burst(events), USED)
    assert [(a, g) for a, _, _, g in devices(told)] == [("add", None), ("remove", None)]


def test_of_other_buses_only_what_may_have_a_group_is_told() -> None:
    stays = (event("add", "Fixed MDIO bus.0"), event("bind", "Fixed MDIO bus.0", "x"))
    brief = (event("add", "virtio.1"), event("remove", "virtio.1"))
    (told,) = following(USED, Burst((*stays, *brief)), USED)
    assert [each[:2] for each in devices(told)] == [
        ("add", "virtio.1"),
        ("remove", "virtio.1"),
    ]


def test_each_of_many_virtual_functions_is_told_once_and_in_order() -> None:
    before, after = many_functions(64)
    there = {d.id for d in before.devices}
    new = [d for d in after.devices if d.id not in there]
    names = [f"pci_01_{d.address[8:10]}_{d.address[-1]}" for d in new]
    events = [event("add", name) for name in names]
    events += [event("bind", name, "nvme") for name in names]
    (told,) = following(before, Burst(tuple(events)), after)
    assert [each[1] for each in devices(told)] == [d.address for d in new] * 2
    physical = {c.physical for c in told.changes if isinstance(c, DeviceChange)}
    assert list(map(str, physical)) == ["0000:01:00.0"]
    assert owners(told) == [(str(100 + n), None, "kernel") for n in range(1, 65)]


@pytest.mark.parametrize("why", ["lost", "slept"])
def test_what_has_no_events_is_read_anew(why: str) -> None:
    moved = on(USED, pci_01_00_0="e1000e")
    told = following(
        USED,
        Burst(lost=why == "lost", slept=why == "slept"),
        moved,
        Burst((event("unbind", "pci_01_00_0"),)),
        on(USED, pci_01_00_0=None),
    )
    assert owners(told[0]) == [("6", "user", "kernel")]
    assert (told[0].lost, told[0].slept) == (why == "lost", why == "slept")
    # The driver is that of the reading: there was no event that told of it.
    assert devices(told[1]) == [("unbind", "0000:01:00.0", "e1000e", "6")]


def test_a_finding_that_stays_is_not_told_again() -> None:
    """A further neighbour, another driver: the same thing is wrong as before."""
    mixed = on(USED, pci_03_02_0="e1000")
    other = on(USED, pci_03_02_0="e1000_other")
    assert ("mixed-ownership", True) not in [
        (c.finding.rule, c.after is not None)
        for c in finding_changes(judged(mixed), judged(other))
    ]


DRIVERS = ("e1000", "vfio-pci", "pci-stub", None)
NAMES = ("pci_01_00_0", "pci_03_01_0", "pci_03_02_0")


@settings(deadline=None, max_examples=12)
@given(
    st.lists(
        st.tuples(st.sampled_from(NAMES), st.sampled_from(DRIVERS)),
        min_size=1,
        max_size=6,
    ),
    st.integers(1, 3),
)
def test_the_changes_lead_from_one_state_to_the_next(
    moves: Sequence[tuple[str, str | None]], size: int
) -> None:
    """However events fall into bursts: all are told, and the changes add up."""
    machine = BOTH_ON_KERNEL
    events, machines = [], [machine]
    for name, driver in moves:
        events.append(event("bind" if driver else "unbind", name, driver))
        machine = on(machine, **{name: driver})
        machines.append(machine)
    steps: list[object] = [machines[0]]
    for start in range(0, len(events), size):
        end = min(start + size, len(events))
        steps += [Burst(tuple(events[start:end])), machines[end]]
    told = following(*steps)  # type: ignore[arg-type]
    assert sum(len(devices(each)) for each in told) == len(events)
    now = {g: o.ownership.value for g, o in judged(machines[0]).owners.items()}
    there_rules = [f.rule for f in judged(machines[0]).findings.values()]
    for each in told:
        for group, before, after in owners(each):
            assert now[group] == before
            assert after is not None
            now[group] = after
        for rule, appeared in rules(each):
            (there_rules.append if appeared else there_rules.remove)(rule)
    last = judged(machines[-1])
    assert now == {g: o.ownership.value for g, o in last.owners.items()}
    assert sorted(there_rules) == sorted(f.rule for f in last.findings.values())
