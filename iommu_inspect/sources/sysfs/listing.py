"""Which devices a tree lists, on buses and in groups, and what may be missing."""

from __future__ import annotations

from functools import cached_property

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known, map_fact, unread, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.sources.sysfs.device import only_named
from iommu_inspect.sources.tree.tree import Inside, Tree

__all__ = ["GROUPED_BUSES", "GROUPS", "Listing", "has_link", "list_devices"]

GROUPS = "sys/kernel/iommu_groups"
GROUPED_BUSES = ("pci", "platform", "amba", "fsl-mc", "cdx")
"""Buses that put their devices into groups (iommu_buses[] in drivers/iommu/iommu.c)."""


@dataclass(frozen=True)
class Listing:
    """The devices that are listed: PCI functions, and grouped ones of other buses.

    ``buses`` has each device's bus by its path. ``members`` has the groups that list a
    device, by its path; ``group_ids`` are the groups' names, and ``partial`` those
    whose list of members is not told. ``placeless`` are devices whose links failed, of
    which only names are known. ``unlisted`` are buses whose devices could not be
    listed, and why.
    """

    buses: dict[str, str]
    members: dict[str, tuple[str, ...]]
    group_ids: Fact[tuple[str, ...]]
    partial: frozenset[str]
    placeless: tuple[Device, ...]
    unlisted: tuple[tuple[str, Missing], ...]

    @cached_property
    def paths(self) -> frozenset[str]:
        """Where the devices are whose place is told."""
        return frozenset(self.buses) | frozenset(self.members)

    @cached_property
    def _whole(self) -> frozenset[str]:
        return frozenset(value_or(self.group_ids, ())) - self.partial

    def is_whole(self, group_id: str) -> bool:
        """Say whether the group's own list names its members."""
        return group_id in self._whole


def list_devices(tree: Tree) -> Listing:
    """List what is on the buses and in the groups."""
    on_buses = _OnBuses(tree)
    group_ids = map_fact(tree.names(GROUPS), _only_numbers)
    in_groups = _InGroups(tree, group_ids, on_buses)
    found = in_groups.found()
    placed = set(map(_identity, found.items()))
    return Listing(
        buses=on_buses.paths | found,
        members=in_groups.members,
        group_ids=group_ids,
        partial=frozenset(in_groups.partial),
        placeless=tuple(
            only_named(device_id, why, why, why)
            for device_id, why in on_buses.lost.items()
            if device_id not in placed
        ),
        unlisted=tuple(on_buses.unlisted),
    )


def _identity(found: tuple[str, str]) -> DeviceId:
    path, bus = found
    return DeviceId(path.rpartition("/")[2], bus)


def has_link(tree: Tree, path: str, link: str) -> bool:
    """Say whether a device has a link of this name that can be followed."""
    return known(tree.target(f"{path}/{link}"))


def _only_numbers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what a capture may hold beside the groups (".gitkeep")."""
    return tuple(name for name in names if name.isdecimal())


class _OnBuses:
    """The devices of each bus: those with a place, and those whose link failed."""

    def __init__(self, tree: Tree) -> None:
        self.paths: dict[str, str] = {}
        self.lost: dict[DeviceId, Missing] = {}
        self.unlisted: list[tuple[str, Missing]] = []
        for bus in GROUPED_BUSES:
            directory = f"sys/bus/{bus}/devices"
            names = tree.names(directory)
            if isinstance(names, Missing):
                if unread(names):
                    self.unlisted.append((bus, names))
                continue
            for name in names:
                path = tree.target(f"{directory}/{name}")
                if path is Missing.ABSENT or path == "":
                    # Not a link: a capture that was made by copying what links show.
                    # One that leads to the root leads to no device.
                    path = f"{directory}/{name}"
                if not known(path):
                    self.lost[DeviceId(name, bus)] = path
                elif bus == "pci" or _may_be_grouped(tree, path):
                    self.paths[path] = bus
        self.by_name: dict[str, list[str]] = {}
        for path in self.paths:
            self.by_name.setdefault(path.rpartition("/")[2], []).append(path)


def _may_be_grouped(tree: Tree, path: str) -> bool:
    """Say whether a device of another bus has a group, or may have one."""
    return tree.target(f"{path}/iommu_group") is not Missing.ABSENT


class _InGroups:
    """The members that the groups list.

    The links' own names are not parsed: two buses can have a device of one name, and
    then the second link has a number behind it. Only where a link cannot be followed,
    the name has to do; such a member is one that nothing more is known of, unless one
    bus shows one device of that name.
    """

    def __init__(
        self, tree: Tree, group_ids: Fact[tuple[str, ...]], on_buses: _OnBuses
    ) -> None:
        members: dict[str, list[str]] = {}
        self.partial: set[str] = set()
        self._on_buses = on_buses
        groups = group_ids if known(group_ids) else ()
        # What is read of each group later on comes with it.
        tree.look_ahead(
            [f"{GROUPS}/{group_id}" for group_id in groups],
            Inside(("type", "name", "reserved_regions"), lists=("devices",)),
        )
        for group_id in groups:
            directory = f"{GROUPS}/{group_id}/devices"
            names = tree.names(directory)
            if not known(names):
                self.partial.add(group_id)
                continue
            followed = {name: tree.target(f"{directory}/{name}") for name in names}
            taken = {path for path in followed.values() if known(path) and path}
            for name, end in followed.items():
                path = end if known(end) and end else self._named(name, taken)
                path = path or f"{directory}/{name}"
                members.setdefault(path, []).append(group_id)
        self.members = {path: tuple(found) for path, found in members.items()}

    def _named(self, name: str, taken: set[str]) -> str | None:
        """Return the one device of a name, if no other member is that."""
        found = self._on_buses.by_name.get(name, ())
        return found[0] if len(found) == 1 and found[0] not in taken else None

    def found(self) -> dict[str, str]:
        """Return the buses, by path, of devices whose place only a group tells."""
        unclaimed: dict[str, list[str]] = {}
        for path in self.members.keys() - self._on_buses.paths.keys():
            unclaimed.setdefault(path.rpartition("/")[2], []).append(path)
        lost: dict[str, list[str]] = {}
        for device_id in self._on_buses.lost:
            lost.setdefault(device_id.name, []).append(str(device_id.bus))
        return {
            unclaimed[name][0]: buses[0]
            for name, buses in lost.items()
            if len(unclaimed.get(name, ())) == len(buses) == 1
        }
