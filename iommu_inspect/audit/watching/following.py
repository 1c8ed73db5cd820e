"""Follows a host through bursts of events, and tells what each of them changed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from iommu_inspect.audit.watching.changes import (
    Change,
    device_changes,
    drivers_of,
    finding_changes,
    owner_changes,
)
from iommu_inspect.audit.watching.state import State
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.events import Burst, Event
from iommu_inspect.model.identity import DeviceId

__all__ = ["Told", "follow"]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a burst changed: its events in order, or else owners, then findings.

    The events come alone, with the state before them. ``lost`` and ``slept`` are those
    of the burst: some of the changes have no events.
    """

    state: State
    changes: tuple[Change, ...]
    lost: bool = False
    slept: bool = False


def follow(
    first: State,
    bursts: Iterable[Burst],
    find: Callable[[Iterable[Event]], Mapping[DeviceId, Device]],
    read: Callable[[State, Burst], State],
) -> Iterator[Told]:
    """Yield what each burst changed, its events before the host is read.

    Args:
        first: The host as it was read once the events could be heard.
        bursts: What the kernel tells.
        find: Reads the devices that events tell of, alone: those that are new.
        read: Reads the host after a burst; the state before it is given along.
    """
    before, drivers = first, drivers_of(first.machine)
    for burst in bursts:
        if burst.events:
            new = find(e for e in burst.events if not before.machine.device(e.device))
            devices, drivers = device_changes(
                burst.events, before.machine, new, drivers
            )
            yield Told(before, devices)
        after = read(before, burst)
        if burst.lost or burst.slept:
            drivers = drivers_of(after.machine)
        yield Told(
            after,
            (*owner_changes(before, after), *finding_changes(before, after)),
            lost=burst.lost,
            slept=burst.slept,
        )
        before = after
