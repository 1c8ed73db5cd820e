"""Reads tables of devices: Markdown's, and those with drawn borders (``pvesh``)."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.sources.text.parts.rows import column, device_of
from iommu_inspect.sources.text.said import CUT, Line, Said

__all__ = ["TableReader"]

_BORDER = "|\N{BOX DRAWINGS LIGHT VERTICAL}\N{BOX DRAWINGS DOUBLE VERTICAL}"
_SPLIT = re.compile(f"[{_BORDER}]")
# Lines between rows: drawn, of ASCII, or Markdown's below the head.
_RULE = re.compile(r"[\u2500-\u257f+=:|\- ]{3,}")


@dataclass(slots=True)
class TableReader:
    """Reads rows below a head that names a group, an address or a driver."""

    KIND: ClassVar[str] = "listing"

    _columns: list[str | None] = field(default_factory=list)
    _said: list[Said] = field(default_factory=list)

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is a row or a rule of a table."""
        return (bare[:1] in _BORDER and len(_cells(bare)) > 1) or (
            _RULE.fullmatch(bare) is not None
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of a table's."""
        if line.prompt:
            self.close()
            return False
        bare = line.bare
        if self._columns and _RULE.fullmatch(bare):
            return True
        if bare[:1] not in _BORDER or bare.endswith(CUT):
            return False
        cells = _cells(bare)
        named = [column(cell) for cell in cells]
        if len(cells) > 1 and sum(name is not None for name in named) >= 2:
            self._columns = named
            return True
        if len(cells) != len(self._columns):
            return False
        values = zip(self._columns, cells, strict=True)
        found = device_of((what, value) for what, value in values if what is not None)
        if found is None:
            return False
        address, facts = found
        self._said.append(Said(line.number, DeviceId.of_pci(address), facts))
        return True

    def close(self) -> None:
        """Take note that something else follows."""
        self._columns = []

    def said(self) -> tuple[Said, ...]:
        """Return what the rows say."""
        return tuple(self._said)


def _cells(bare: str) -> list[str]:
    inner = bare[1:-1] if bare[-1:] in _BORDER else bare[1:]
    return [cell.strip() for cell in _SPLIT.split(inner)]
