"""The groups that a kernel would make of a machine whose source shows none.

Every function is placed in the order in which the kernel finds them. A group is told
only if no function whose place is not known may join it: a fact that is missing makes
groups fewer, never other ones.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from iommu_inspect.kernel.grouping.acs.off import asks_too_late, made_up_isolation
from iommu_inspect.kernel.grouping.acs.unseen import Doubt
from iommu_inspect.kernel.grouping.making.covered import Reach
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.placing import Placement
from iommu_inspect.kernel.grouping.making.recompute import enumeration, recompute
from iommu_inspect.kernel.grouping.making.vmd import Behind, real_device, vmds
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine

__all__ = ["Differs", "Foretold", "Undecided", "foretell"]


@dataclass(frozen=True, slots=True)
class Undecided:
    """Devices of which it cannot be told how they are grouped, and what decides.

    They share no group with any device outside; one that has a group of its own is
    possible too.
    """

    devices: tuple[Device, ...]
    doubts: tuple[Doubt, ...]


@dataclass(frozen=True, slots=True)
class Differs:
    """A group of the kernel's that isolation, as it is seen, does not give."""

    group: Group
    because: str


@dataclass(frozen=True, slots=True)
class Foretold:
    """The machine with the groups that a kernel would make, and what was not seen.

    Where the source shows groups the machine is as it was, and nothing is predicted.
    ``left_out`` says that the source seems to leave functions out, ``made_up`` is the
    word of the command line that makes isolation up, ``without`` has devices that get
    no group for sure, and the word that does it.
    """

    machine: Machine
    predicted: bool
    undecided: tuple[Undecided, ...] = ()
    left_out: bool = False
    made_up: str | None = None
    without: tuple[tuple[Device, str], ...] = ()
    differs: tuple[Differs, ...] = ()

    @property
    def told(self) -> bool:
        """Say whether nothing is left open."""
        return not self.undecided and not self.left_out


def foretell(machine: Machine) -> Foretold:
    """Predict the groups of a machine that shows none."""
    made_up = made_up_isolation(machine)
    if machine.groups:
        found = recompute(machine)
        agreements = [(group, found.agreement(group)) for group in machine.groups]
        differs = tuple(
            Differs(group, a.because) for group, a in agreements if a.agrees is False
        )
        return Foretold(machine, False, made_up=made_up, differs=differs)
    return _Foretelling(machine).result(made_up)


class _Foretelling:
    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._grouping = Grouping(machine, asked=not asks_too_late(machine))
        self._reach = Reach(machine)
        self._order = enumeration(self._grouping)
        self._by_address = {device.address: device for device in self._order}
        self._vmds = vmds(machine)
        self._blocks = _Sets(self._by_address)
        self._doubts: dict[str, list[Doubt]] = {}
        self._standing: dict[object, Device] = {}
        self._perhaps: dict[str, set[str]] = {}

    def result(self, made_up: str | None) -> Foretold:
        without = []
        whole = self._reach.of_machine() if self._order else None
        placed: dict[str, bool] = {}  # whether each that was found has a group for sure
        for device in self._order:
            word = self._reach.never(device)
            if word is not None:
                without.append((device, word))
                continue
            reach = whole or self._reach.doubt(device)
            self._place(device, placed)
            if reach is not None:
                self._undecide(device, [reach], ())
            placed[device.address] = reach is None
        groups, undecided = self._gather(placed)
        left_out = self._is_partial()
        machine = self._with(groups, whole=not left_out)
        return Foretold(
            machine,
            predicted=True,
            undecided=undecided,
            left_out=left_out,
            made_up=made_up,
            without=tuple(without),
        )

    def _place(self, device: Device, placed: dict[str, bool]) -> None:
        """Put a device into the block of the one that it joins, if that is certain."""
        behind = real_device(self._machine, device, self._vmds)
        if behind is not None:
            self._place_behind(device, behind)
            return
        found = [
            self._grouping.possible(device, lambda other: other.address in placed),
            self._grouping.possible(
                device, lambda other: placed.get(other.address, False)
            ),
        ]
        doubts = [d for each in found for d in each.doubts]
        if not device.is_placed:
            self._undecide(device, doubts, self._perhaps_above(device))
            return
        placements = [p for each in found for p in each.placements]
        ends = {self._end(placement) for placement in placements}
        if len(ends) == 1:
            end = ends.pop()
            if end is not None:
                self._blocks.join(device.address, end)
            return
        joined = [p.joins for p in placements if p.joins is not None]
        doubts += [d for other in joined if (d := self._reach.doubt(other)) is not None]
        self._undecide(device, doubts, [other.address for other in joined])

    def _end(self, placement: Placement) -> str | None:
        """Return the block that a placement leads into, ``None`` for a new one."""
        joins = placement.joins
        return None if joins is None else self._blocks.find(joins.address)

    def _place_behind(self, device: Device, behind: Behind) -> None:
        if behind.doubt is None:
            self._blocks.join(device.address, behind.candidates[0].address)
            return
        # One stands for all, so that each is not joined with each.
        first = self._standing.setdefault("vmd", device)
        alike = [first] if first is not device else behind.candidates
        self._undecide(device, [behind.doubt], [d.address for d in alike])

    def _undecide(
        self, device: Device, doubts: Iterable[Doubt], joins: Iterable[str]
    ) -> None:
        name = device.address
        self._doubts.setdefault(name, []).extend(doubts)
        self._perhaps.setdefault(name, set()).update(joins)

    def _perhaps_above(self, device: Device) -> Iterable[str]:
        """Return whose group a function may join of which nothing shows the place.

        A bridge above it has a lower number of bus, and its own below it.
        """
        here = device.pci_address
        if here is None:
            return
        first = self._standing.setdefault((here.domain, here.bus), device)
        if first is not device:
            yield first.address
            return
        slots = {(here.bus, here.slot)}
        for other, at in self._grouping.topology.addressed:
            if at.domain != here.domain or other.is_bridge is False:
                continue
            below = other.pci.secondary_bus
            if at.bus <= here.bus and not (known(below) and below > here.bus):
                slots.add((at.bus, at.slot))
                yield other.address
        for other, at in self._grouping.topology.addressed:
            near = at.bus == here.bus or (at.bus, at.slot) in slots
            if at.domain == here.domain and near:
                yield other.address

    def _gather(
        self, placed: dict[str, bool]
    ) -> tuple[list[list[Device]], tuple[Undecided, ...]]:
        """Return the groups that are certain, and what is not in any."""
        wider = _Sets(self._by_address)
        open_ends = set()
        for name in placed:
            wider.join(name, self._blocks.find(name))
        for name, others in self._perhaps.items():
            for other in others & placed.keys():
                wider.join(name, other)
        for name in self._perhaps:
            open_ends.add(wider.find(name))
        groups: dict[str, list[Device]] = {}
        left: dict[str, list[Device]] = {}
        for name in placed:
            end = wider.find(name)
            members = left if end in open_ends else groups
            members.setdefault(end, []).append(self._by_address[name])
        undecided = [
            Undecided(
                tuple(sorted(members, key=lambda d: d.id)),
                tuple(
                    dict.fromkeys(
                        x for d in members for x in self._doubts.get(d.address, ())
                    )
                ),
            )
            for members in left.values()
        ]
        return (
            sorted(
                (sorted(group, key=lambda d: d.id) for group in groups.values()),
                key=lambda group: group[0].id,
            ),
            tuple(sorted(undecided, key=lambda each: each.devices[0].id)),
        )

    def _with(self, groups: list[list[Device]], *, whole: bool) -> Machine:
        grouped = {device.id for group in groups for device in group}
        return replace(
            self._machine,
            groups=tuple(
                Group(str(number), tuple(members), whole=whole, predicted=True)
                for number, members in enumerate(groups)
            ),
            ungrouped=tuple(d for d in self._machine.devices if d.id not in grouped),
        )

    def _is_partial(self) -> bool:
        """Say whether the source seems to leave functions out (``lspci -s``, grep).

        All bridges above others are there, and function 0 of every slot that has
        another one.
        """
        functions = [(d, at) for d in self._order if (at := d.pci_address)]
        slots = {(at.domain, at.bus, at.slot): False for _, at in functions}
        for device, at in functions:
            if at.function == 0 or device.pci.is_virtual:
                slots[at.domain, at.bus, at.slot] = True
            if not device.is_placed and not device.is_below_vmd:
                return True
        return not self._machine.all_functions or not all(slots.values())


class _Sets:
    """Sets of addresses that are joined (union-find)."""

    def __init__(self, names: Iterable[str]) -> None:
        self._above = {name: name for name in names}

    def find(self, name: str) -> str:
        """Return the address that stands for the set."""
        while self._above[name] != name:
            self._above[name] = self._above[self._above[name]]
            name = self._above[name]
        return name

    def join(self, one: str, other: str) -> None:
        """Make one set of two."""
        self._above[self.find(one)] = self.find(other)
