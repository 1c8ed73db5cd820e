"""A machine that was read before, read again where something moved.

A look at the links of all devices shows which of them moved. They are read anew, those
that events name, their groups, and what the host uses its devices for. All else is not
changed by devices that come, go or change hands.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Missing, known, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.text import natural_key
from iommu_inspect.sources.bounds import check_devices, check_group, check_groups
from iommu_inspect.sources.host.modprobe import read_settings
from iommu_inspect.sources.host.uses import read_host
from iommu_inspect.sources.sysfs.device import DeviceReader
from iommu_inspect.sources.sysfs.listing import GROUPED_BUSES
from iommu_inspect.sources.sysfs.machine import (
    driver_overrides,
    has_vanished,
    is_shown,
    read_group,
)
from iommu_inspect.sources.sysfs.settled import (
    EVENTS,
    Look,
    look_around,
    place_of,
    read_settled,
)
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["read_again", "read_alone"]

# How often what moved is read again while the kernel tells of more.
_TRIES = 3


def read_again(tree: Tree, before: Machine, named: Iterable[DeviceId]) -> Machine:
    """Return the machine as it is now: what ``read_settled`` would return.

    It is read as a whole if it moves on and on, and where a look does not tell all:
    groups that are not told, devices of other buses, links that fail.

    Args:
        tree: The files of a running host.
        before: What was read of them earlier.
        named: The devices that events tell of.
    """
    ids = frozenset(named)
    for _ in range(_TRIES):
        events = tree.text(EVENTS)
        machine = _Reading(tree, before, look_around(tree)).machine(ids)
        if machine is None:
            break
        if known(events) and tree.text(EVENTS) == events:
            return machine
    tree.forget()
    return read_settled(tree)


def read_alone(tree: Tree, paths: Iterable[str]) -> dict[DeviceId, Device]:
    """Read some devices of a running host, those that are still there."""
    tree.forget()
    reader = DeviceReader(tree, drivers_known=True, groups_known=True)
    there = sorted({path for path in paths if tree.exists(path)})
    reader.prepare(there)
    overrides = driver_overrides(tree, there)
    found = [reader.read(path, overrides) for path in there]
    return {d.id: d for d in found if not has_vanished(tree, str(d.path))}


class _Reading:
    """One reading of what moved since a machine was read."""

    def __init__(self, tree: Tree, before: Machine, look: Look) -> None:
        self._tree, self._before, self._look = tree, before, look
        self._were = {str(device.path): device for device in before.devices}
        self._reader = DeviceReader(tree, drivers_known=True, groups_known=True)

    def machine(self, named: frozenset[DeviceId]) -> Machine | None:
        """Return the machine as it is now; ``None`` where the look is not enough."""
        if not self._is_enough():
            return None
        here = self._look.places.keys()
        moved = {p for p, d in self._were.items() if d.id in named} | self._moved()
        gone = [d for path, d in self._were.items() if path not in here]
        read = self._read(moved & here)
        # A physical function lists its virtual ones.
        owners = self._owners([*gone, *read.values()]) & here
        read |= self._read(owners - read.keys())
        if not all(self._is_told(device) for device in read.values()):
            return None
        still = [p for p in self._were if p in here and p not in moved | read.keys()]
        now = [self._were[path] for path in still]
        now += [d for path, d in read.items() if not has_vanished(self._tree, path)]
        now.sort(key=lambda device: (device.id, str(device.path)))
        check_devices(len(now), self._tree.label)
        again = {d.group for d in (*gone, *read.values())}
        again |= {self._were[path].group for path in moved & self._were.keys()}
        groups = self._groups(now, {g for g in again if isinstance(g, str)})
        if groups is None:
            return None
        return self._with(groups, now)

    def _is_enough(self) -> bool:
        """Say whether a look tells all that moves, and whether all was told before."""
        before = self._before
        return (
            self._tree.whole
            and before.groups_known
            and not before.unlisted
            and all(known(names) for names in self._look.members.values())
            and all(group.whole for group in before.groups)
            and all(map(self._is_told, before.devices))
        )

    @staticmethod
    def _is_told(device: Device) -> bool:
        """Say whether it is known which device it is, and where."""
        return (
            known(device.bus)
            and device.bus in GROUPED_BUSES
            and known(device.path)
            and known(device.group)
        )

    def _moved(self) -> set[str]:
        """Return where devices came, or have another driver or group, or none."""
        found = set()
        for path, place in self._look.places.items():
            device = self._were.get(path)
            if device is not None:
                if place_of(device) != place:
                    found.add(path)
            elif place[1] is not Missing.ABSENT or _may_be_pci(path):
                found.add(path)
        return found

    def _owners(self, devices: Iterable[Device]) -> set[str]:
        """Return where the physical functions are that virtual ones belong to."""
        names = {value_or(device.pci.physfn, None) for device in devices}
        return {path for path, device in self._were.items() if device.id in names}

    def _read(self, paths: Iterable[str]) -> dict[str, Device]:
        ordered = sorted(paths)
        self._reader.prepare(ordered)
        overrides = driver_overrides(self._tree, ordered)
        found = {path: self._reader.read(path, overrides) for path in ordered}
        return {
            path: device
            for path, device in found.items()
            if device.is_pci or device.group is not None
        }

    def _groups(
        self, devices: Sequence[Device], again: set[str]
    ) -> tuple[Group, ...] | None:
        """Return all groups; ``None`` if one lists others than name it."""
        members: dict[str, list[Device]] = {group: [] for group in self._look.members}
        for device in devices:
            if isinstance(device.group, str):
                members.setdefault(device.group, []).append(device)
        check_groups(len(members), self._tree.label)
        if not all(self._agree(group, some) for group, some in members.items()):
            return None
        found = []
        for group_id in sorted(members, key=natural_key):
            some, old = members[group_id], self._before.group(group_id)
            check_group(group_id, len(some), self._tree.label)
            if old is None or group_id in again:
                found.append(read_group(self._tree, group_id, some, whole=True))
            else:
                found.append(replace(old, devices=tuple(some)))
        return tuple(found)

    def _agree(self, group: str, devices: Sequence[Device]) -> bool:
        """Say whether a group lists the devices that name it.

        Two buses may have a device of one name, of which the second has another link.
        """
        listed = self._look.members.get(group)
        return listed == tuple(sorted(device.address for device in devices))

    def _with(self, groups: tuple[Group, ...], devices: list[Device]) -> Machine | None:
        before, tree = self._before, self._tree
        nodes = any(value_or(d.vfio_devices, ()) for d in devices)
        if nodes and "vfio-dev" not in before.kernel.features:
            return None  # the kernel shows more of itself than it did
        settings = before.settings
        if _drivers(devices) != _drivers(before.devices):
            settings = read_settings(tree, before.kernel, devices)
        return replace(
            before,
            groups=groups,
            ungrouped=tuple(d for d in devices if d.group is None and is_shown(d)),
            settings=settings,
            host=read_host(tree, devices),
            notes=tree.notes,
        )


def _may_be_pci(path: str) -> bool:
    return PciAddress.parse(path.rpartition("/")[2]) is not None


def _drivers(devices: Iterable[Device]) -> frozenset[str]:
    """Return the drivers whose modules the settings are asked for."""
    return frozenset(
        d.driver for d in devices if d.is_pci and isinstance(d.driver, str)
    )
