"""The text of ``watch``: a line for each thing that happens, with its time.

What is alike of many groups at one moment is one line; each event has its own.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from iommu_inspect.audit.told_once import told_once
from iommu_inspect.audit.watching.changes import (
    DeviceChange,
    FindingChange,
    OwnerChange,
)
from iommu_inspect.audit.watching.following import Told
from iommu_inspect.audit.watching.state import Owner, State
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.events import Action
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed, printable
from iommu_inspect.render.layout import PLAIN, Style
from iommu_inspect.render.text import fold
from iommu_inspect.rules.finding import Finding, Severity

__all__ = ["WatchText"]

T = TypeVar("T")

_LOST = (
    "the kernel had more events than there was room for: some are not told; all was "
    "read anew"
)
_SLEPT = "the host was suspended: all was read anew"
# Where the words begin, after the time and what kind of line it is.
_HANGING = " " * 29
_MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class WatchText:
    """How things are said to people.

    With ``folds`` lines are folded to the width; else each stays one. Of notes
    (severity info) nothing is said, as in an audit, but of those of ``wanted``.
    """

    style: Style = PLAIN
    folds: bool = False
    wanted: str | None = None

    def begun(self, state: State, at: float) -> list[str]:
        """Return the first line: what is watched.

        Args:
            state: The host at the beginning.
            at: When that was, in seconds since 1970.
        """
        machine = state.machine
        release = machine.kernel.release
        devices = sum(1 for _ in machine.devices)
        kernel = f" of Linux {printable(release)}" if known(release) else ""
        counts = Counter(f.severity for f in state.findings.values())
        text = (
            f"{_counted(len(machine.groups), 'group')} and "
            f"{_counted(devices, 'device')}{kernel}; "
            f"{_counted(counts[Severity.ERROR], 'error')}, "
            f"{_counted(counts[Severity.WARNING], 'warning')}"
        )
        conflicts = [g for g, o in state.owners.items() if _is_conflict(o)]
        if conflicts:
            text += f"; conflict in {_groups(conflicts)}"
        return [self._line(at, "watching", text)]

    def found(self, finding: Finding, at: float) -> list[str]:
        """Return the line about a finding that is there at the beginning."""
        return [self._line(at, "finding", f"{_said(finding)}", _colour(finding))]

    def told(self, told: Told, at: float) -> Iterator[str]:
        """Yield the lines of one burst, in order.

        Args:
            told: What it changed; its events have their own times.
            at: When the host was read after it, in seconds since 1970.
        """
        if told.lost:
            yield self._line(at, "lost", _LOST, "yellow")
        if told.slept:
            yield self._line(at, "resumed", _SLEPT)
        for each in told.changes:
            if isinstance(each, DeviceChange):
                word = each.event.action.value
                yield self._line(each.event.at, word, _device(each))
        owners = [each for each in told.changes if isinstance(each, OwnerChange)]
        for alike in _alike(owners, _how_owned):
            after = alike[0].after
            bad = after is not None and _is_conflict(after)
            yield self._line(at, "owner", _owner(alike), "red" if bad else "")
        found = [each for each in told.changes if isinstance(each, FindingChange)]
        for text, colour in _findings(found, told.state.machine, self.wanted):
            yield self._line(at, "finding", text, colour)

    def _line(self, at: float, kind: str, text: str, colour: str = "") -> str:
        moment = time.strftime("%m-%d %H:%M:%S", time.localtime(at))
        line = f"{moment}.{int(at % 1 * 1000):03}  {kind:<8} {text}"
        if self.folds:
            line = fold(line, self.style.width, hanging=_HANGING)
        return self.style.paint(line, colour) if colour else line


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _device(change: DeviceChange) -> str:
    event, device = change.event, change.device
    text = printable(event.device.name)
    driver = None if change.driver is None else printable(change.driver)
    match event.action:
        case Action.BIND:
            text += f" to {driver or 'a driver'}"
        case Action.UNBIND:
            text += f" from {driver or 'its driver'}"
    if change.group is not None:
        was = event.action is Action.REMOVE
        text += f", {'was in ' if was else ''}group {printable(change.group)}"
    if change.physical is not None and event.action is Action.ADD:
        text += f", virtual function of {printable(change.physical.name)}"
    if device is not None and event.action in (Action.ADD, Action.REMOVE):
        text += _named(device)
    return text


def _named(device: Device) -> str:
    ids = f" [{device.ids.pair}]" if device.ids.pair else ""
    name = " ".join(filter(None, (device.vendor_name, device.name)))
    return f": {printable(name)}{ids}" if name else ids


def _how_owned(change: OwnerChange) -> Hashable:
    """Say what groups have to share to be told together; a conflict is told alone."""
    before, after = change.before, change.after
    if after is not None and _is_conflict(after):
        return change.group
    return (before and before.ownership, after and after.ownership)


def _owner(changes: list[OwnerChange]) -> str:
    first = changes[0]
    groups, before, after = _groups(c.group for c in changes), first.before, first.after
    if after is None:
        was = before.ownership.value if before else ""
        return f"{groups}: gone, was {_owned(was)}"
    text = f"{groups}: {_owned(after.ownership.value)}"
    if before is None:
        text += " (new)"
    elif before.ownership is not after.ownership:
        text += f", was {_owned(before.ownership.value)}"
    if _is_conflict(after):
        text += f": {_on(after.kernel)} beside {_on(after.user)}"
    return text


def _owned(word: str) -> str:
    return {"none": "no owner", "unknown": "owner unknown"}.get(word, word)


def _is_conflict(owner: Owner) -> bool:
    return owner.ownership is Ownership.CONFLICT


def _on(devices: Iterable[Device]) -> str:
    return _some(
        f"{printable(d.address)} on {printable(value_or(d.driver, None) or 'a driver')}"
        for d in devices
    )


def _groups(ids: Iterable[str]) -> str:
    found = [printable(each) for each in ids]
    return f"group {found[0]}" if len(found) == 1 else f"groups {_some(found)}"


def _some(words: Iterable[str]) -> str:
    """Join words as a sentence does, but no more than fit into a line or two."""
    found = list(words)
    if len(found) > _MOST_NAMED:
        found[_MOST_NAMED:] = [f"{len(found) - _MOST_NAMED} more"]
    return listed(found)


def _findings(
    changes: list[FindingChange], machine: Machine, wanted: str | None
) -> Iterator[tuple[str, str]]:
    """Yield what is said of findings, with its colour."""
    shown = [
        each
        for each in changes
        if each.finding.rule == wanted
        or any(f and f.severity is not Severity.INFO for f in (each.before, each.after))
    ]
    gone = [each.finding for each in shown if each.after is None]
    for alike in _alike(gone, lambda finding: finding.rule):
        about = _some(dict.fromkeys(map(_about, alike)))
        yield f"{about}: {alike[0].rule} is gone", ""
    for each in shown:
        if each.before and each.after:
            was = each.before.severity.value
            text = f"{_about(each.after)}: {_what(each.after)}, was {was}"
            yield text, _colour(each.after)
    new = [each.after for each in shown if each.before is None and each.after]
    for told in told_once(new, machine):
        text = _said(told.finding)
        if told.same:
            text += f"; the same of {_some(map(printable, told.same))}"
        yield text, _colour(told.finding)


def _said(finding: Finding) -> str:
    return f"{_about(finding)}: {_what(finding)}: {_short(finding.message)}"


def _colour(finding: Finding) -> str:
    return "red" if finding.severity is Severity.ERROR else ""


def _what(finding: Finding) -> str:
    return f"{finding.rule} ({finding.severity.value})"


def _about(finding: Finding) -> str:
    if finding.devices and (finding.group is None or len(finding.devices) == 1):
        return printable(str(finding.devices[0]))
    if finding.group is not None:
        return f"group {printable(finding.group)}"
    return "host"


def _short(message: str) -> str:
    """Return the first sentence of a message."""
    return printable(message.partition(". ")[0].removesuffix("."))


def _alike(items: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[list[T]]:
    found: dict[Hashable, list[T]] = {}
    for each in items:
        found.setdefault(key(each), []).append(each)
    yield from found.values()
