"""A machine whose devices stood still while they were read, as far as can be told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.sysfs.listing import GROUPED_BUSES, GROUPS
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.tree import Tree

__all__ = [
    "EVENTS",
    "Look",
    "look_around",
    "place_of",
    "read_settled",
    "undisturbed",
]

# How often a host is read whose devices go on moving.
_TRIES = 3
EVENTS = "sys/kernel/uevent_seqnum"
"""It grows with every event: a device that is added, removed, bound (driver_bound() in
drivers/base/dd.c) or let go, and with much else."""

_T = TypeVar("_T")
Place = tuple[Fact[str], Fact[str]]


@dataclass(frozen=True, slots=True)
class Look:
    """Who is where: driver and group by a device's path, members by a group's id."""

    places: dict[str, Place]
    members: dict[str, Fact[tuple[str, ...]]]


def read_settled(
    tree: Tree, *, processes: bool = False, brief: bool = False
) -> Machine:
    """Read the machine, once more while its devices come and go.

    Files are read one after the other: where two devices change hands meanwhile, what
    is read of one may be older than what is read of the other, and together they are a
    host that never was. What two looks and the reading between them agree on was there
    all at once. Of what still moves at the last time, the driver cannot be told.
    """
    if not tree.hot:
        return read_machine(tree, processes=processes)
    events = tree.text(EVENTS)
    machine = read_machine(tree, processes=processes, brief=brief)
    if known(events) and tree.text(EVENTS) == events:
        return machine
    for left in reversed(range(_TRIES - 1)):
        before = look_around(tree)
        tree.forget()
        machine = read_machine(tree, processes=processes, brief=brief)
        after = look_around(tree)
        unseen = _unseen(before, machine)
        moved = (
            _differing(before.places, after.places, _places(machine)) | unseen.keys()
        )
        grown = _differing(before.members, after.members) | set(unseen.values())
        if not left or not moved | grown:
            break
    return _untold(machine, moved, grown) if moved | grown else machine


def undisturbed(tree: Tree, read: Callable[[], _T]) -> _T:
    """Return what ``read`` reads of a tree, once more while its kernel tells of events.

    For who needs every file and cannot do with what is still untold at the end.
    """
    events = tree.text(EVENTS)
    found = read()
    for _ in range(_TRIES - 1 if tree.hot else 0):
        now = tree.text(EVENTS)
        if now == events:
            break
        events = now
        tree.forget()
        found = read()
    return found


def look_around(tree: Tree) -> Look:
    """Look at the links of all devices and groups of a tree, as they are now."""
    tree.forget()
    places = {}
    for bus in GROUPED_BUSES:
        listed = tree.names(f"sys/bus/{bus}/devices")
        for name in listed if known(listed) else ():
            path = tree.target(f"sys/bus/{bus}/devices/{name}")
            if known(path):
                driver, group = (
                    tree.link_name(f"{path}/{link}")
                    for link in ("driver", "iommu_group")
                )
                places[path] = driver, group
    groups = tree.names(GROUPS)
    members = {
        group: tree.names(f"{GROUPS}/{group}/devices")
        for group in (groups if known(groups) else ())
    }
    return Look(places, members)


def _unseen(look: Look, machine: Machine) -> dict[str, str]:
    """Return the groups, by path, of devices that were not there when it was read."""
    read = {device.path for device in machine.devices}
    return {
        path: group
        for path, (_, group) in look.places.items()
        if path not in read and known(group)
    }


def place_of(device: Device) -> Place:
    """Return where a device was when it was read, as a look sees it."""
    return _none(device.driver), _none(device.group)


def _none(name: Fact[str | None]) -> Fact[str]:
    return Missing.ABSENT if name is None else name


def _places(machine: Machine) -> dict[str, Place]:
    """Return where the devices were when they were read, as a look sees it."""
    return {
        device.path: place_of(device)
        for device in machine.devices
        if known(device.path) and known(device.driver) and known(device.group)
    }


def _differing(
    before: dict[str, _T], after: dict[str, _T], read: dict[str, _T] | None = None
) -> frozenset[str]:
    """Return what moved: between two looks, or there and back while it was read."""
    names = {*before, *after}
    between = {name for name in names if before.get(name) != after.get(name)}
    back = {name for name, at in (read or {}).items() if before.get(name, at) != at}
    return frozenset(between | back)


def _untold(machine: Machine, moved: frozenset[str], grown: frozenset[str]) -> Machine:
    """Take from what moves the facts that others would rely on."""

    def still(device: Device) -> Device:
        if device.path not in moved:
            return device
        return replace(device, driver=Missing.UNREADABLE)

    groups = tuple(
        replace(
            group,
            devices=tuple(map(still, group.devices)),
            whole=group.whole and group.id not in grown,
        )
        for group in machine.groups
    )
    note = "devices came and went while they were read: their drivers cannot be told"
    return replace(
        machine,
        groups=groups,
        ungrouped=tuple(map(still, machine.ungrouped)),
        notes=(*machine.notes, note),
    )
