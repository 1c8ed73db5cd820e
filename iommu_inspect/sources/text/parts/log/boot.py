"""What one boot of a log says in the end, where its order matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field
from typing import TypeVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.parts.log.devices import (
    Bridge,
    Direct,
    Enumerated,
    Event,
    Group,
    Slot,
)
from iommu_inspect.sources.text.parts.log.host import CommandLine
from iommu_inspect.sources.text.parts.log.stamps import Moment
from iommu_inspect.sources.text.said import DeviceFacts, HostFacts, Said

__all__ = ["Boot"]

T = TypeVar("T")
_Events = list[tuple[int, Event]]


@dataclass(slots=True)
class Boot:
    """What a log has of one boot, in the order of the text, with the lines' numbers.

    ``ordered`` is false where some line is older than the one before it: then the text
    is no log from its beginning to its end (``journalctl -r``, a sorted one), and what
    was last is not known.
    """

    events: dict[DeviceId, _Events] = field(default_factory=dict)
    host: list[tuple[int, HostFacts]] = field(default_factory=list)
    command_lines: list[tuple[int, CommandLine]] = field(default_factory=list)
    roots: list[tuple[int, str, str | None]] = field(default_factory=list)
    models: list[tuple[int, str]] = field(default_factory=list)
    ordered: bool = True
    _last: Moment | None = None

    def pass_by(self, moment: Moment | None) -> None:
        """Take note of when a line was written."""
        if moment is None:
            return
        before = self._last
        if before is not None and before[0] == moment[0] and moment[1] < before[1]:
            self.ordered = False
        self._last = moment

    def said(self) -> Iterator[Said]:
        """Yield what holds at the end of this boot."""
        for number, facts in self.host:
            yield Said(number, None, host=facts)
        if not any(known(facts.board) for _, facts in self.host):
            for number, model in self.models:
                yield Said(number, None, host=HostFacts(board=model))
        yield from self._command_line()
        roots = self._root_buses()
        for device, events in sorted(self.events.items()):
            yield from _of_device(device, events, roots, ordered=self.ordered)

    def _command_line(self) -> Iterator[Said]:
        """Yield the command line, put together from its pieces; all or nothing."""
        late = [(n, c) for n, c in self.command_lines if not c.early]
        pieces: list[str] = []
        for number, line in late or self.command_lines:
            pieces.append(line.text)
            if line.whole:
                yield Said(number, None, host=HostFacts(command_line=" ".join(pieces)))
                pieces.clear()
            elif not line.text:
                pieces.clear()

    def _root_buses(self) -> dict[str, tuple[int, DeviceId | None]]:
        """Return what root buses hang from: a function, as VMD's, or nothing."""
        found: dict[str, tuple[int, DeviceId | None]] = {}
        contested = set()
        for number, bus, name in self.roots:
            address = PciAddress.parse(name) if name else None
            above = DeviceId.of_pci(address) if address is not None else None
            if found.setdefault(bus, (number, above))[1] != above:
                contested.add(bus)
        return {bus: above for bus, above in found.items() if bus not in contested}


def _of_device(
    device: DeviceId,
    events: _Events,
    roots: dict[str, tuple[int, DeviceId | None]],
    *,
    ordered: bool,
) -> Iterator[Said]:
    left = any(isinstance(event, Group) and not event.joins for _, event in events)
    if left:
        if not ordered or not _is_consistent(events):
            yield Said(events[-1][0], device, DeviceFacts(group=Missing.UNREADABLE))
            return
        events = _since_it_left(events)
    if not events:
        return
    for number, event in events:
        if isinstance(event, Group):
            yield Said(number, device, DeviceFacts(group=event.group))
    number = events[-1][0]
    found = _only([e for _, e in events if isinstance(e, Enumerated)])
    if known(found):
        yield Said(
            number,
            device,
            DeviceFacts(
                ids=found.ids,
                header_type=found.header_type,
                pcie_type=found.pcie_type,
            ),
        )
    facts = DeviceFacts(
        buses=_buses([e for _, e in events if isinstance(e, Bridge)]),
        hotplug_slot=_only([e.hotplug for _, e in events if isinstance(e, Slot)]),
        direct=tuple(
            sorted({(e.first, e.last) for _, e in events if isinstance(e, Direct)})
        ),
    )
    if facts != DeviceFacts():
        yield Said(number, device, facts)
    root = roots.get(str(device).rpartition(":")[0]) if device.pci else None
    if root is not None:
        yield Said(root[0], device, DeviceFacts(parent=root[1]))


def _is_consistent(events: _Events) -> bool:
    """Say whether a device leaves only the group it is in, and joins only from none."""
    now: Fact[str | None] = Missing.ABSENT
    for _, event in events:
        if not isinstance(event, Group):
            continue
        if event.joins:
            if known(now) and now is not None:
                return False
            now = event.group
        else:
            if known(now) and now != event.group:
                return False
            now = None
    return True


def _since_it_left(events: _Events) -> _Events:
    """Return what is of the device that is there now.

    What leaves its group leaves the bus too: iommu_release_device() is called for
    devices that go (drivers/iommu/iommu.c). The next one at this address may be
    another.
    """
    last = max(
        place
        for place, (_, event) in enumerate(events)
        if isinstance(event, Group) and not event.joins
    )
    return events[last + 1 :]


def _only(values: list[T]) -> Fact[T]:
    """Return the value that all lines agree on."""
    if not values:
        return Missing.ABSENT
    return values[0] if all(v == values[0] for v in values) else Missing.UNREADABLE


def _buses(bridges: list[Bridge]) -> Fact[tuple[int, int]]:
    """Return the buses below a bridge if the log has them twice, and the same.

    The kernel writes them when it finds a bridge, as firmware left it, and again when
    it sets it up; in between it may have given it others.
    """
    if len(bridges) < 2:
        return Missing.ABSENT
    found = _only(bridges)
    return (found.first, found.last) if known(found) else found
