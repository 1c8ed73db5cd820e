"""Reads the running host again and again, and prints what became of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Protocol

from iommu_inspect.audit.watching.following import Told, follow
from iommu_inspect.audit.watching.state import State, state_of
from iommu_inspect.cli.output import complain
from iommu_inspect.cli.session import rules_of
from iommu_inspect.model.device import Device
from iommu_inspect.model.events import Burst, Event
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.rules.finding import Finding
from iommu_inspect.sources import names
from iommu_inspect.sources.sysfs.again import read_again, read_alone
from iommu_inspect.sources.sysfs.settled import read_settled
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Host", "Printer", "watched"]

Lines = Iterable[str]


class Host:
    """The host that is read; what is known of its names is kept."""

    def __init__(self, tree: Tree, semantics: str, *, numeric: bool) -> None:
        self._tree = tree
        self._semantics = semantics
        self._namer: names.Namer | None = None
        self._numeric = numeric
        self._notes: tuple[str, ...] = ()

    def state(self) -> State:
        """Read the host as it is now, all of it.

        Who has devices open is not asked: nothing tells of that, and it would take as
        long as all the rest.

        Raises:
            SourceError: It cannot be read.
            UnknownSemanticsError: There are no such semantics.
        """
        self._tree.forget()
        return self._judged(read_settled(self._tree))

    def after(self, before: State, burst: Burst) -> State:
        """Read what a burst tells of, or all where that is not all that moved.

        Raises:
            SourceError: It cannot be read.
        """
        if not burst.by_events:
            return self.state()
        named = {event.device for event in burst.events}
        return self._judged(read_again(self._tree, before.machine, named))

    def devices(self, events: Iterable[Event]) -> Mapping[DeviceId, Device]:
        """Read the devices that events tell of, those that are still there."""
        paths = {event.path for event in events}
        found = read_alone(self._tree, paths) if paths else {}
        if self._numeric or self._namer is None:
            return found
        some = Machine(Source("live", ""), ungrouped=tuple(found.values()))
        named = names.with_names(some, self._namer)
        return {device.id: device for device in named.devices}

    def _judged(self, machine: Machine) -> State:
        for note in machine.notes:
            if note not in self._notes:
                complain(f"note: {note}")
        self._notes = machine.notes
        return state_of(self._named(machine), rules_of(machine, self._semantics))

    def _named(self, machine: Machine) -> Machine:
        if self._numeric:
            return names.without_names(machine)
        if self._namer is None:
            self._namer = names.from_pci_ids(self._tree, machine)
        return names.with_names(machine, self._namer)


class Printer(Protocol):
    """How things are said: each method returns lines."""

    def begun(self, state: State, at: float) -> Lines:
        """Return what is said first."""

    def found(self, finding: Finding, at: float) -> Lines:
        """Return what is said of a finding that is there at the beginning."""

    def told(self, told: Told, at: float) -> Lines:
        """Return what is said of a burst."""


def watched(
    first: State,
    bursts: Iterable[Burst],
    find: Callable[[Iterable[Event]], Mapping[DeviceId, Device]],
    read: Callable[[State, Burst], State],
    printer: Printer,
    until: str | None = None,
    clock: Callable[[], float] = time.time,
) -> Iterator[tuple[Lines, bool]]:
    """Yield the lines of each moment, and whether the finding waited for is there.

    Args:
        first: The host as it is at the beginning.
        bursts: What the kernel tells.
        find: What reads the devices that events tell of.
        read: What reads the host after a burst.
        printer: How things are said.
        until: The rule whose finding is waited for, if one is.
        clock: The seconds since 1970.
    """
    there = [f for f in first.findings.values() if f.rule == until]
    lines = [*printer.begun(first, clock())]
    for finding in there:
        lines += printer.found(finding, clock())
    yield lines, bool(there)
    for told in follow(first, bursts, find, read):
        there = [f for f in told.state.findings.values() if f.rule == until]
        yield printer.told(told, clock()), bool(there)
