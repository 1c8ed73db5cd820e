"""What is otherwise than a moment ago: two states of one host held together.

Devices are known by their addresses here, and groups by their ids: between two moments
of one boot a group keeps its id for as long as it is there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from iommu_inspect.audit.watching.state import Owner, State
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.events import Action, Event
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import natural_key
from iommu_inspect.rules.finding import Finding

__all__ = [
    "Change",
    "DeviceChange",
    "Drivers",
    "FindingChange",
    "OwnerChange",
    "device_changes",
    "drivers_of",
    "finding_changes",
    "owner_changes",
]

Drivers: TypeAlias = Mapping[DeviceId, str | None]
"""The driver of each device, after the events that were told; ``None`` is no driver."""


@dataclass(frozen=True, slots=True)
class DeviceChange:
    """One event, with what is known of the device.

    ``device`` is ``None`` where it came and went before it could be read. ``group`` is
    that which it is in, or was in. ``driver`` is the one that it was bound to or let go
    by, ``None`` where that cannot be told. ``physical`` is the function that a virtual
    one belongs to.
    """

    event: Event
    device: Device | None
    group: str | None
    driver: str | None = None
    physical: DeviceId | None = None


@dataclass(frozen=True, slots=True)
class OwnerChange:
    """A group with another owner; ``None`` where the group was not there, or is not."""

    group: str
    before: Owner | None
    after: Owner | None


@dataclass(frozen=True, slots=True)
class FindingChange:
    """A finding that appeared or is gone, ``None`` on the other side; or both.

    Then it is as bad as it was no more, or as certain.
    """

    before: Finding | None
    after: Finding | None

    @property
    def finding(self) -> Finding:
        """The finding as it is, or was."""
        found = self.after or self.before
        assert found is not None  # noqa: S101 - one of them is always there
        return found


Change: TypeAlias = DeviceChange | OwnerChange | FindingChange


def drivers_of(machine: Machine) -> Drivers:
    """Return the driver of every device that shows it."""
    return {d.id: d.driver for d in machine.devices if known(d.driver)}


def device_changes(
    events: Iterable[Event],
    before: Machine,
    new: Mapping[DeviceId, Device],
    drivers: Drivers,
) -> tuple[tuple[DeviceChange, ...], Drivers]:
    """Return what each event tells, in order, and the drivers after them.

    The events tell what happened, and the machine before the rest, or ``new``, the
    devices that came: one that was bound and let go within a burst is on no driver
    before and after. One that has no group is not spoken of unless it is a PCI
    function, as in a list.
    """
    now = dict(drivers)
    heard = tuple(events)
    brief = _came_and_went(heard)
    told = []
    for event in heard:
        name = event.device
        device = new.get(name) or before.device(name)
        driver = event.driver
        match event.action:
            case Action.BIND:
                now[name] = driver
            case Action.UNBIND:
                driver = now.get(name) if driver is None else driver
                now[name] = None
            case Action.ADD | Action.REMOVE:
                now.pop(name, None)
                driver = None
        if device is None and name.bus != "pci" and name not in brief:
            continue  # a list does not show it either
        told.append(
            DeviceChange(
                event,
                device,
                value_or(device.group, None) if device is not None else None,
                driver,
                None if device is None else value_or(device.pci.physfn, None),
            )
        )
    return tuple(told), now


def _came_and_went(events: Iterable[Event]) -> frozenset[DeviceId]:
    """Return the devices that came within these events, and went: none could be read.

    Any other that no machine shows has no group.
    """
    came: set[DeviceId] = set()
    here: set[DeviceId] = set()
    for event in events:
        if event.action is Action.ADD:
            came.add(event.device)
            here.add(event.device)
        elif event.action is Action.REMOVE:
            here.discard(event.device)
    return frozenset(came - here)


def owner_changes(before: State, after: State) -> Iterator[OwnerChange]:
    """Yield the groups that another owns than before, in the order of their ids.

    A conflict between others than before is another one.
    """
    for group in sorted({*before.owners, *after.owners}, key=natural_key):
        old, new = before.owners.get(group), after.owners.get(group)
        if old is None or new is None or _what(old) != _what(new):
            yield OwnerChange(group, old, new)


def _what(owner: Owner) -> object:
    if owner.user and owner.kernel:
        return (owner.ownership, *_on(owner.user), "and", *_on(owner.kernel))
    return owner.ownership


def _on(devices: Iterable[Device]) -> Iterator[object]:
    for device in devices:
        yield (device.id, value_or(device.driver, None))


def finding_changes(before: State, after: State) -> Iterator[FindingChange]:
    """Yield the findings that are gone, then those that appeared, the worst first."""
    for key, finding in before.findings.items():
        if key not in after.findings:
            yield FindingChange(finding, None)
    for key, finding in after.findings.items():
        old = before.findings.get(key)
        if old is None or _how_bad(old) != _how_bad(finding):
            yield FindingChange(old, finding)


def _how_bad(finding: Finding) -> object:
    return (finding.severity, finding.certainty)
