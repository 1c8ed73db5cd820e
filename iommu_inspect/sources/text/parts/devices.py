"""Reads lines about devices: those of ``lspci``, with or without a group above them.

A line with an address begins a record, what follows it belongs to the record if its
words or its indentation say so, and a heading such as ``IOMMU Group 13:`` gives its
group to the records below it for as long as that is certain. Nothing here says what
the details mean (``words.py``).
"""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.sources.text.parts.forms import (
    Entry,
    device_entry,
    heading,
    is_detail,
    looks_like_heading,
)
from iommu_inspect.sources.text.parts.record import Record, Run
from iommu_inspect.sources.text.parts.tails import driver_line, is_driver_line
from iommu_inspect.sources.text.said import CUT, Line, Said

__all__ = ["DeviceReader"]

_ROW = re.compile(r"([0-9a-f]{2,3}): ((?:[0-9a-f]{2} ){0,15}[0-9a-f]{2})")
# What grep puts between what it found, and people where they left something out.
_LEFT_OUT = re.compile(
    rf"--|[\[(<]?\s*(?:{CUT}|\.{{3,}}|snip(?:ped|pet)?|cut|truncated|omitted|skipped)\s*[\])>]?",
    re.I,
)
_FILTER = re.compile(r"\|\s*(?:e?grep|rg|ag|head|tail|awk|sed|cut)\b")
_GROUP_LINE = re.compile(r"IOMMU group: ?\d+")
_MAX_LINES = 2000


@dataclass(slots=True)
class _Scope:
    """The group that a heading gives to the lines below it.

    ``depth`` is the heading's, ``inner`` that of the first device below it. ``inline``
    is true where a device stands in the heading's own line.
    """

    group: str
    depth: int
    inline: bool = False
    ids_first: bool = False
    inner: int | None = None


@dataclass(slots=True)
class _Asked:
    """The command that the text shows above its output, if it shows one."""

    filtered: bool = False
    fresh: bool = True


@dataclass(slots=True)
class DeviceReader:
    """Reads a part of lspci's lines, of a listing of groups, or of both mixed."""

    KIND: ClassVar[str] = "lspci"

    _runs: list[Run] = field(default_factory=list)
    _current: Record | None = None
    _last: Record | None = None
    _scope: _Scope | None = None
    _asked: _Asked = field(default_factory=_Asked)

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line begins a record, a detail of one, or a group."""
        return (
            device_entry(bare, in_scope=False) is not None
            or heading(bare) is not None
            or looks_like_heading(bare)
            or is_detail(bare)
            or is_driver_line(bare)
            or _ROW.fullmatch(bare) is not None
            or _LEFT_OUT.fullmatch(bare) is not None
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of these."""
        if line.prompt:
            self.close()
            self._last = None
            self._asked = _Asked(filtered=_FILTER.search(line.bare) is not None)
            return False
        bare = line.bare
        if line.after_gap:
            self._end_record()
            if self._scope is not None and self._scope.inner is not None:
                self._scope = None
        if _LEFT_OUT.fullmatch(bare):
            if not self._runs:
                return False
            self._runs[-1].filtered = True
            self._end_record()
            return True
        if self._current is not None and self._detail(self._current, line):
            self._current.wrapped |= line.wrapped
            return True
        if _GROUP_LINE.fullmatch(bare) and not (line.after_gap and not line.depth):
            # A detail of a device that was not understood, or a heading: nobody knows.
            self.close()
            return False
        if is_detail(bare) and not _GROUP_LINE.fullmatch(bare):
            self.close()
            if self._last is not None:  # it goes on: what it lacks may be here
                self._last.closed = False
            return False
        above = heading(bare)
        if above is not None:
            return self._begin_group(line, *above)
        entry = device_entry(bare, in_scope=self._allows(line))
        if entry is not None:
            self._begin(line, entry)
            return True
        if looks_like_heading(bare.lstrip(f"{CUT} ")):
            self.close()  # of a group that is not told
            return False
        if self._current is not None and line.depth > self._current.depth:
            self._current.add(line.bare, line.number)
            return True
        return False

    def close(self) -> None:
        """Take note that the part ends here: what follows is something else."""
        self._end_record()
        self._scope = None

    def said(self) -> tuple[Said, ...]:
        """Return what all records say."""
        return tuple(said for run in self._runs for said in run.said())

    @property
    def runs(self) -> tuple[Run, ...]:
        """What was printed in one go, each."""
        return tuple(self._runs)

    @property
    def whole_groups(self) -> frozenset[str]:
        """The groups whose members a list shows in a row, up to something else.

        Only a list that begins where the host begins and leaves nothing out counts.
        """
        found: set[str] = set()
        spoilt: set[str] = set()
        for run in self._runs:
            if not run.listed:
                continue
            groups = [record.group for record in run.records]
            starts = any(_is_first(record) for record in run.records)
            seen: set[str | None] = set()
            for index, group in enumerate(groups):
                again = group in seen and groups[index - 1] != group
                seen.add(group)
                last = index == len(groups) - 1 or groups[index + 1] != group
                closed = index < len(groups) - 1 or run.records[index].closed
                if group is None or again or not starts or run.filtered:
                    spoilt.add(group or "")
                elif last and closed:
                    found.add(group)
                elif last:
                    spoilt.add(group)
        return frozenset(found - spoilt)

    def _end_record(self) -> None:
        if self._current is not None:
            self._current.closed = True
            self._last = self._current
            self._current = None

    def _begin_group(self, line: Line, group: str, rest: str) -> bool:
        self._end_record()
        entry = device_entry(rest, in_scope=False, inline=True) if rest else None
        if rest and entry is None:
            return False
        self._scope = _Scope(group, line.depth, inline=entry is not None)
        if entry is not None:
            self._scope.ids_first = entry.ids_first
            self._begin(line, entry)
        return True

    def _allows(self, line: Line) -> bool:
        """Say whether a line stands below a heading, so that little makes a device."""
        scope = self._scope
        if scope is None or scope.inline:
            return False
        return line.depth > scope.depth or scope.inner in (None, line.depth)

    def _begin(self, line: Line, entry: Entry) -> None:
        self._end_record()
        scope = self._scope
        group: str | None = None
        run = self._runs[-1] if self._runs else None
        again = run is not None and entry.key in run.addresses
        if scope is not None:
            heads = scope.inline and scope.inner is None
            inside = heads or self._is_inside(scope, line, entry)
            # A list shows a device once: what names it again is another list.
            if inside and (scope.inner is None or not again):
                group = scope.group
                if scope.inner is None:
                    scope.inner = line.depth
            else:
                self._scope = None
        listed = group is not None
        if run is None or again or run.listed is not listed or self._asked.fresh:
            run = Run(listed=listed, filtered=self._asked.filtered)
            self._asked.fresh = False
            self._runs.append(run)
        self._current = Record(
            entry=entry,
            number=line.number,
            depth=line.depth,
            group=group,
        )
        run.add(self._current)

    @staticmethod
    def _is_inside(scope: _Scope, line: Line, entry: Entry) -> bool:
        if scope.inline:
            below = line.depth > scope.depth
            return below or (scope.ids_first and entry.ids_first)
        if scope.inner is None:
            return True
        return line.depth > scope.depth or line.depth == scope.inner

    def _detail(self, record: Record, line: Line) -> bool:
        bare = line.bare
        row = _ROW.fullmatch(bare)
        if row is not None:
            record.add_row(int(row[1], 16), bytes.fromhex(row[2]))
            return True
        if len(record.details) >= _MAX_LINES:
            return is_detail(bare)
        if _GROUP_LINE.fullmatch(bare) and not self._is_detail_of(record, line):
            return False
        if is_detail(bare):
            record.add(bare, line.number)
            return True
        if is_driver_line(bare):
            inside = line.depth > record.depth
            names = record.indented_drivers if inside else record.flat_drivers
            names += filter(None, [driver_line(bare)])
            return True
        return False

    @staticmethod
    def _is_detail_of(record: Record, line: Line) -> bool:
        """Say whether ``IOMMU group: 5`` is about the device above it.

        Lists have such headings; lspci prints it behind the registers only.
        """
        return line.depth > record.depth or any(
            text.startswith("Control: ") for text, _ in record.details
        )


def _is_first(record: Record) -> bool:
    """Say whether a record is of the function that comes first on nearly every host."""
    address = record.entry.address
    return address is not None and (
        address.bus,
        address.slot,
        address.function,
    ) == (0, 0, 0)
