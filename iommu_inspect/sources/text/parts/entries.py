"""Reads entries of YAML and JSON that describe devices, a value a line."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import ClassVar

from iommu_inspect.model.identity import DeviceId
from iommu_inspect.sources.text.parts.rows import column, device_of
from iommu_inspect.sources.text.said import Line, Said

__all__ = ["EntryReader"]

# Names begin with a small letter there; those of lspci -vmm do not.
_VALUE = re.compile(
    r"(?:- )?(?P<quote>\"?)(?P<key>[a-z]\w{1,20})(?P=quote)\s*:\s*"
    r"(?P<value>\"[^\"]*\"|'[^']*'|-?[\w.:/-]+),?"
)
_EDGE = re.compile(r"[\[{}\]],?|---|\.\.\.|[}\]],?\s*[{\[]?")


@dataclass(slots=True)
class EntryReader:
    """Reads values up to the end of their entry: a brace, ``---``, another address."""

    KIND: ClassVar[str] = "listing"

    _values: list[tuple[str, str]] = field(default_factory=list)
    _line: int = 0
    _said: list[Said] = field(default_factory=list)

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is a value of one of the names, or an edge."""
        found = _VALUE.fullmatch(bare)
        return found is not None and column(found["key"]) is not None

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of an entry's."""
        if line.prompt:
            self.close()
            return False
        if _EDGE.fullmatch(line.bare):
            open_entry = bool(self._values)
            self.close()
            return open_entry
        found = _VALUE.fullmatch(line.bare)
        if found is None:
            return False
        what = column(found["key"])
        if what is None:
            return bool(self._values)
        value = found["value"].strip("\"'")
        if what == "address" and any(name == what for name, _ in self._values):
            self.close()
        self._line = self._line if self._values else line.number
        self._values.append((what, value))
        return True

    def close(self) -> None:
        """Take note that the entry ends here."""
        found = device_of(self._values)
        if found is not None:
            address, facts = found
            self._said.append(Said(self._line, DeviceId.of_pci(address), facts))
        self._values.clear()

    def said(self) -> tuple[Said, ...]:
        """Return what the entries say."""
        self.close()
        return tuple(self._said)
