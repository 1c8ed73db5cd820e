"""Which device of one source is which of another: by what it is, not by its number.

Numbers of buses change with every card that is put in. So a device is the same one if
it has the same ids and sits in the same place of the tree; if it hangs below a bridge
that is the same one; if it is the only one of its ids on either side. Where several
alike are left, and nothing tells them apart, that is said and no pair is made.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Callable, Hashable, Iterable

from iommu_inspect.audit.differences.likeness import (
    kind_of,
    known_ids,
    may_be,
    subsystem,
)
from iommu_inspect.audit.differences.places import places
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.topology import Topology

__all__ = ["Alike", "Matching", "Pair", "match"]


@dataclass(frozen=True, slots=True, eq=False)
class Pair:
    """One device as both sources show it."""

    before: Device
    after: Device

    @property
    def shifted(self) -> bool:
        """Say whether its address is another one now."""
        return self.before.address != self.after.address


@dataclass(frozen=True, slots=True, eq=False)
class Alike:
    """Devices of which nobody can tell which of the others each of them is.

    ``told_apart`` is false where a source does not show the ids that would decide.
    """

    before: tuple[Device, ...]
    after: tuple[Device, ...]
    told_apart: bool = True


@dataclass(frozen=True, slots=True, eq=False)
class Matching:
    """Each device of two machines is in exactly one of these; all are sorted.

    ``by_address`` are the pairs for which nothing but the address speaks, since a
    source does not show what the device is.
    """

    pairs: tuple[Pair, ...]
    before_only: tuple[Device, ...] = ()
    after_only: tuple[Device, ...] = ()
    alike: tuple[Alike, ...] = ()
    by_address: tuple[Pair, ...] = ()


def match(before: Machine, after: Machine) -> Matching:
    """Find the devices of one machine in the other."""
    matcher = _Matcher(before, after)
    matcher.by_name()
    matcher.by_place()
    matcher.below_bridges()
    matcher.by_ids()
    matcher.below_bridges()
    matcher.by_ids()
    matcher.by_ids_and_address()
    matcher.by_address()
    return matcher.matching()


class _Side:
    """One machine's devices by name, and those that are not paired yet."""

    def __init__(self, machine: Machine) -> None:
        self.devices = {device.id: device for device in machine.devices}
        self.left = dict(self.devices)
        self.places = places(machine)
        self.topology = Topology(machine)


class _Matcher:
    def __init__(self, before: Machine, after: Machine) -> None:
        self._old, self._new = _Side(before), _Side(after)
        self._pairs: list[Pair] = []
        self._by_address: list[Pair] = []
        self._fresh: deque[Pair] = deque()

    def by_name(self) -> None:
        """Pair what is not on PCI: its bus's name for it is all that it has."""
        self._by_key(lambda _, d: None if d.is_pci else (d.address, d.bus))
        self._by_key(lambda _, d: None if d.is_pci else d.address)

    def by_place(self) -> None:
        """Pair what sits in the same slot and is not seen to be something else."""
        self._by_key(lambda side, d: side.places.get(d.id))

    def below_bridges(self) -> None:
        """Pair what sits in the same slot below a bridge that is paired already."""
        while self._fresh:
            above = self._fresh.popleft()
            old = self._below(self._old, above.before)
            new = self._below(self._new, above.after)
            for key in old.keys() & new.keys():
                if may_be(old[key], new[key]):
                    self._pair(old[key], new[key])

    @staticmethod
    def _below(side: _Side, bridge: Device) -> dict[tuple[int, int], Device]:
        return {
            (address.slot, address.function): device
            for device in side.topology.children(bridge)
            if device.id in side.left
            and device.id in side.places
            and not device.pci.is_virtual
            and (address := device.pci_address) is not None
        }

    def by_ids(self) -> None:
        """Pair what is the only one of its ids left on either side."""
        for old, new in self._classes():
            if len(old) == len(new) == 1 and not self._is_doubtful(old[0], new[0]):
                self._pair(old[0], new[0])

    def _is_doubtful(self, old: Device, new: Device) -> bool:
        """Say whether one's address has something on the other side that may be it."""
        if old.id == new.id:
            return False
        there, here = self._new.left.get(old.id), self._old.left.get(new.id)
        return any(
            each is not None and known_ids(each) is None and may_be(each, other)
            for each, other in ((there, old), (here, new))
        )

    def by_ids_and_address(self) -> None:
        """Pair alike devices by address, where no number is seen to have moved.

        If all have the addresses that they had, nothing has moved; if some came or
        went and no other device moved, the rest did not either.
        """
        moved = self._has_moved()
        for old, new in self._classes():
            if all(d.id in self._old.places for d in old) and all(
                d.id in self._new.places for d in new
            ):
                continue  # they sit in other slots than before: addresses say nothing
            mine, theirs = {d.id: d for d in old}, {d.id: d for d in new}
            nested = mine.keys() <= theirs.keys() or mine.keys() >= theirs.keys()
            if mine.keys() == theirs.keys() or (nested and not moved):
                for name in mine.keys() & theirs.keys():
                    self._pair(mine[name], theirs[name])

    def by_address(self) -> None:
        """Pair what a source shows nothing of but the address, if no number moved."""
        if self._has_moved():
            return
        for name in [n for n in self._old.left if n in self._new.left]:
            old, new = self._old.left[name], self._new.left[name]
            if may_be(old, new) and (known_ids(old) is None or known_ids(new) is None):
                self._pair(old, new, by_address=True)

    def matching(self) -> Matching:
        """Return the pairs, and what is left."""
        alike = [Alike(_sorted(old), _sorted(new)) for old, new in self._classes()]
        for each in alike:
            self._take(each)
        alike += self._untold()
        return Matching(
            tuple(sorted(self._pairs, key=_order)),
            _sorted(self._old.left.values()),
            _sorted(self._new.left.values()),
            tuple(sorted(alike, key=lambda a: (a.after[0].id, a.before[0].id))),
            tuple(sorted(self._by_address, key=_order)),
        )

    def _untold(self) -> list[Alike]:
        """Put together what is left where a source does not show what it is."""
        found = []
        left = (*self._old.left.values(), *self._new.left.values())
        told = all(known(d.base_class) for d in left if d.is_pci)
        kinds = self._left_by(lambda d: d.is_pci and (told, told and d.base_class))
        for old, new in kinds:
            if old and new and any(known_ids(d) is None for d in (*old, *new)):
                found.append(Alike(_sorted(old), _sorted(new), told_apart=False))
        for each in found:
            self._take(each)
        return found

    def _take(self, alike: Alike) -> None:
        for side, devices in ((self._old, alike.before), (self._new, alike.after)):
            for device in devices:
                del side.left[device.id]

    def _has_moved(self) -> bool:
        """Say whether a number is seen to stand for another device than it did."""
        if any(pair.shifted for pair in self._pairs):
            return True
        return any(
            name in self._new.devices and not may_be(device, self._new.devices[name])
            for name, device in self._old.left.items()
        )

    def _classes(self) -> list[tuple[list[Device], list[Device]]]:
        """Return what is left on both sides by ids and function, alike together."""
        found = []
        for old, new in self._left_by(kind_of):
            if not old or not new:
                continue
            subsystems = [subsystem(d) for d in (*old, *new)]
            if None in subsystems or len(set(subsystems)) == 1:
                found.append((old, new))
                continue
            parts = _parted(old, new, subsystem)
            found += [(mine, theirs) for mine, theirs in parts if mine and theirs]
        return found

    def _left_by(
        self, key: Callable[[Device], Hashable]
    ) -> list[tuple[list[Device], list[Device]]]:
        return _parted(self._old.left.values(), self._new.left.values(), key)

    def _by_key(self, key: Callable[[_Side, Device], Hashable]) -> None:
        """Pair what alone has a key, on either side, and may be the same."""

        def index(side: _Side) -> dict[Hashable, Device]:
            found: dict[Hashable, list[Device]] = defaultdict(list)
            for device in side.left.values():
                if (its := key(side, device)) is not None:
                    found[its].append(device)
            return {its: each[0] for its, each in found.items() if len(each) == 1}

        old, new = index(self._old), index(self._new)
        for its in [k for k in old if k in new]:
            if may_be(old[its], new[its]):
                self._pair(old[its], new[its])

    def _pair(self, old: Device, new: Device, *, by_address: bool = False) -> None:
        pair = Pair(old, new)
        self._pairs.append(pair)
        self._fresh.append(pair)
        del self._old.left[old.id], self._new.left[new.id]
        weak = old.is_pci and (known_ids(old) is None or known_ids(new) is None)
        if by_address or (weak and old.id not in self._old.places):
            self._by_address.append(pair)


def _parted(
    old: Iterable[Device], new: Iterable[Device], key: Callable[[Device], Hashable]
) -> list[tuple[list[Device], list[Device]]]:
    """Part the devices of both sides by a key; a key that is false takes none."""
    found: dict[Hashable, tuple[list[Device], list[Device]]] = {}
    for side, devices in enumerate((old, new)):
        for device in devices:
            if its := key(device):
                found.setdefault(its, ([], []))[side].append(device)
    return list(found.values())


def _sorted(devices: Iterable[Device]) -> tuple[Device, ...]:
    return tuple(sorted(devices, key=lambda device: device.id))


def _order(pair: Pair) -> tuple[DeviceId, DeviceId]:
    return (pair.after.id, pair.before.id)
