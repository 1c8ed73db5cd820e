"""Follows a host through bursts of events, and tells what each of them changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from iommu_inspect.audit.watching.changes import (
    Change,
    device_changes,
    drivers_of,
    finding_changes,
    owner_changes,
)
from iommu_inspect.audit.watching.state import State
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.events import Action, Burst

__all__ = ["Told", "follow"]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a burst changed: its events in order, then owners, then findings.

    The events of a burst may come alone, with the state before it. ``lost`` and
    ``slept`` are those of the burst: some of the changes have no events.
    """

    state: State
    changes: tuple[Change, ...]
    lost: bool = False
    slept: bool = False


def follow(
    first: State, bursts: Iterable[Burst], read: Callable[[State, Burst], State]
) -> Iterator[Told]:
    """Yield what each burst changed, its events before the host is read where they can.

    Args:
        first: The host as it was read once the events could be heard.
        bursts: What the kernel tells.
        read: Reads the host after a burst; the state before it is given along.
    """
    before, drivers = first, drivers_of(first.machine)
    for burst in bursts:
        early = _needs_no_reading(burst, before)
        if early:
            devices, drivers = device_changes(
                burst.events, before.machine, before.machine, drivers
            )
            yield Told(before, devices)
        after = read(before, burst)
        if not early:
            devices, drivers = device_changes(
                burst.events, before.machine, after.machine, drivers
            )
            if burst.lost or burst.slept:
                drivers = drivers_of(after.machine)
        yield Told(
            after,
            (
                *(() if early else devices),
                *owner_changes(before, after),
                *finding_changes(before, after),
            ),
            lost=burst.lost,
            slept=burst.slept,
        )
        before = after


def _needs_no_reading(burst: Burst, before: State) -> bool:
    """Say whether all that events tell is known of their devices already.

    Of one that is new the group is not.
    """
    return burst.by_events and all(
        event.action is not Action.ADD and before.machine.device(event.device)
        for event in burst.events
    )
