"""``list`` where a table has no room: a block a group, some lines a device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from iommu_inspect.model.text import printable
from iommu_inspect.render.layout import Style
from iommu_inspect.render.listing.columns import COLUMNS, OWNER_COLOURS, Row
from iommu_inspect.render.text import fold
from iommu_inspect.render.width import shortened

__all__ = ["blocks"]

# Those that name a device, and stand on its first line.
_NAMING = ("address", "driver")
_OF_GROUPS = ("group", "owner")


def blocks(rows: Iterable[Row], style: Style, columns: Sequence[str]) -> str:
    """Return the list as blocks: as narrow as a terminal may be."""
    lines: list[str] = []
    for row in rows:
        if row.is_first and any(name in columns for name in _OF_GROUPS):
            if lines:
                lines.append("")
            lines.append(_heading(row, style, columns))
        lines += _of_device(row, style, columns)
    return "\n".join(lines)


def _heading(row: Row, style: Style, columns: Sequence[str]) -> str:
    if row.owned is None:
        return "no group"
    parts = []
    if "group" in columns:
        parts.append(f"group {COLUMNS['group'].cell(row)}")
    if "owner" in columns:
        owner = row.owned.ownership.value
        colour = OWNER_COLOURS.get(owner)
        parts.append(style.paint(owner, colour) if colour else owner)
    return "  ".join(parts)


def _of_device(row: Row, style: Style, columns: Sequence[str]) -> Iterator[str]:
    named = [COLUMNS[name].cell(row) for name in columns if name in _NAMING]
    if named:
        yield "  " + printable("  ".join(filter(None, named)))
    for name in columns:
        if name in (*_NAMING, *_OF_GROUPS, "uses"):
            continue
        column = COLUMNS[name]
        text = printable((column.brief or column.cell)(row))
        if name != "description":
            text = f"{column.heading.lower()} {text}"
        yield "    " + shortened(text, max(style.width - 4, 8), style.marks.more)
    if row.uses:
        yield from fold(
            f"in use: {row.uses}", style.width, "    ", "      "
        ).splitlines()
