"""Reads entries of YAML and JSON that describe devices.

Which values are of one device is certain only where the text shows where an entry
begins: a brace, the mark of an item, ``---``, the key above a deeper block, or the
address itself, if that comes first. A value goes to the entry that is open at its
depth; what is nested in an entry (its subsystem, its neighbours) is another one.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.sources.text.parts.rows import column, device_of
from iommu_inspect.sources.text.said import Line, Said

__all__ = ["EntryReader"]

# Names begin with a small letter there; those of lspci -vmm do not.
_KEY = r"(?P<quote>\"?)(?P<key>[a-z][\w-]{1,30})(?P=quote)\s*:"
_VALUE = re.compile(
    rf"{_KEY}\s*(?P<value>\"[^\"]*\"|'[^']*'|-?[\w.:/-]+|\[\]|\{{\}}),?"
)
# A key whose value is a block of its own.
_ABOVE = re.compile(rf"{_KEY}\s*(?P<brace>[\[{{]?)")
_OPENS = re.compile(r"(?:[}\]],?\s*)?[\[{]+")
_CLOSES = re.compile(r"[}\]]+,?")
_OBJECT = re.compile(r"\[?\{.*\}\]?,?")
_MAX_DEPTH = 100
_NUMBERS = ("vendor", "device", "class", "ids")


@dataclass(slots=True)
class _Entry:
    """Values of one depth; ``depth`` is not known up to the first one.

    ``outer`` is how deep the mark or key is that it began with: what belongs to it is
    deeper. ``braced`` entries end with their brace alone. An entry that is not
    ``certain`` began nobody knows where.
    """

    outer: int = -1
    depth: int | None = None
    braced: bool = False
    certain: bool = True
    line: int = 0
    values: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class EntryReader:
    """Reads a value a line, or an object a line."""

    KIND: ClassVar[str] = "listing"

    _open: list[_Entry] = field(default_factory=list)
    _said: list[Said] = field(default_factory=list)

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is a value of one of the names."""
        found = _VALUE.fullmatch(bare)
        return found is not None and column(found["key"]) is not None

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of an entry's."""
        if line.prompt:
            self.close()
            return False
        bare = line.bare
        if line.after_gap and not any(entry.braced for entry in self._open):
            self.close()
        if _OBJECT.fullmatch(bare):
            return self._object(line)
        inside = bool(self._open)
        if bare in ("---", "..."):
            self.close()
            self._open.append(_Entry())
            return inside
        if _CLOSES.fullmatch(bare):
            for _ in range(len(bare.rstrip(","))):
                self._end_brace()
            return inside
        if _OPENS.fullmatch(bare):
            if bare[0] in "}]":
                self._end_brace()
            self._begin(_Entry(braced=True))
            return inside
        return self._value(line) or self._above(line)

    def close(self) -> None:
        """Take note that what is open ends here."""
        while self._open:
            self._end()

    def said(self) -> tuple[Said, ...]:
        """Return what the entries say."""
        self.close()
        return tuple(self._said)

    def _begin(self, entry: _Entry) -> None:
        if len(self._open) < _MAX_DEPTH:
            self._open.append(entry)
        else:
            self._open.clear()  # nobody nests so: none of it counts

    def _end(self) -> None:
        entry = self._open.pop()
        if entry.certain:
            self._say(entry.line, entry.values)

    def _end_brace(self) -> None:
        while self._open:
            braced = self._open[-1].braced
            self._end()
            if braced:
                break

    def _say(self, line: int, values: list[tuple[str, str]]) -> None:
        found = device_of(values)
        if found is not None:
            address, facts = found
            self._said.append(Said(line, DeviceId.of_pci(address), facts))

    def _value(self, line: Line) -> bool:
        found = _VALUE.fullmatch(line.bare)
        if found is None:
            return False
        what = column(found["key"])
        if what is None and not self._open:
            return False
        entry = self._entry_at(line, first=what)
        if what is None:
            return True
        value = found["value"].strip("\"'")
        if what in _NUMBERS and value == found["value"] and value.isdecimal():
            return True  # a number of JSON is decimal, an id is not
        if what == "address" and any(name == what for name, _ in entry.values):
            entry = self._again(entry, line)
        entry.line = entry.line or line.number
        entry.values.append((what, value))
        return True

    def _entry_at(self, line: Line, *, first: str | None) -> _Entry:
        """Return the entry that a value of this depth goes to."""
        if line.item:
            self._leave(line.depth)
            self._begin(_Entry(outer=line.depth))
            return self._open[-1] if self._open else _Entry(certain=False)
        while self._open and not self._open[-1].braced:
            top = self._open[-1]
            if line.depth > top.outer and top.depth in (None, line.depth):
                break
            if top.depth is not None and line.depth > top.depth:
                return _Entry(certain=False)  # deeper, below nothing
            self._end()
        if not self._open:
            self._open.append(_Entry(certain=first == "address"))
        top = self._open[-1]
        if not top.braced and top.depth is None:
            top.depth = line.depth
        return top

    def _leave(self, depth: int) -> None:
        """End the entries that an item of this depth is not in."""
        while self._open and not self._open[-1].braced:
            top = self._open[-1]
            if top.outer < depth and (top.depth is None or top.depth < depth):
                break
            self._end()

    def _again(self, entry: _Entry, line: Line) -> _Entry:
        """Begin another entry at an address, where addresses come first."""
        if entry.braced or not entry.certain or entry.values[0][0] != "address":
            return entry  # two addresses: it is of no device
        self._end()
        self._open.append(_Entry(entry.outer, line.depth))
        return self._open[-1]

    def _above(self, line: Line) -> bool:
        found = _ABOVE.fullmatch(line.bare)
        if found is None or not (self._open or found["brace"] or not found["quote"]):
            return False
        inside = bool(self._open)
        if found["brace"]:
            self._begin(_Entry(braced=True))
            return inside
        if line.item:
            self._leave(line.depth)
        else:
            while self._open and not self._open[-1].braced:
                top = self._open[-1]
                if top.depth is None or top.depth <= line.depth:
                    break
                self._end()
        if self._open and not self._open[-1].braced and not line.depth:
            self.close()  # without columns, nobody sees where the block ends
        self._begin(_Entry(outer=line.depth if line.depth else -1))
        return inside

    def _object(self, line: Line) -> bool:
        """Read an object that is whole in one line."""
        try:
            found = json.loads(line.bare.rstrip(","))
        except (ValueError, RecursionError):
            return False
        before = len(self._said)
        for each in _objects(found):
            values = [
                (what, str(value))
                for key, value in each.items()
                if (what := column(key)) is not None
                and not isinstance(value, dict | list | float)
                and not (isinstance(value, int) and what in _NUMBERS)
            ]
            self._say(line.number, values)
        return len(self._said) > before or bool(self._open)


def _objects(value: object) -> Iterator[dict[str, object]]:
    """Yield all objects in a value of JSON."""
    left = [value]
    while left:
        each = left.pop()
        if isinstance(each, dict):
            yield each
            left += each.values()
        elif isinstance(each, list):
            left += each
