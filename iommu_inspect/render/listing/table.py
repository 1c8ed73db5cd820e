"""The table of ``list``: a line a device, however long its name is."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from iommu_inspect.model.text import printable
from iommu_inspect.render.layout import PLAIN, Style
from iommu_inspect.render.listing.blocks import blocks
from iommu_inspect.render.listing.columns import COLUMNS, OWNER_COLOURS, STANDARD, Row
from iommu_inspect.render.text import fold
from iommu_inspect.render.width import columns_of, padded, shortened

__all__ = ["list_text"]

_GAP = 2
# The longest class of a device in one word; with it a mediated device, whose name is a
# UUID, has room in 80 columns.
_NARROWEST = 13


def list_text(
    rows: Iterable[Row], style: Style = PLAIN, columns: Sequence[str] = STANDARD
) -> str:
    """Return the table; blocks where the terminal is too narrow for it.

    Where it is to fit a terminal, what is longer than the last column is shortened,
    and what uses a device stands below it, unless that is a column.
    """
    rows = list(rows)
    chosen = [COLUMNS[name] for name in columns]
    cells = [[printable(each.cell(row)) for each in chosen] for row in rows]
    widths = _widths([[each.heading for each in chosen], *cells])
    left = sum(width + _GAP for width in widths[:-1])
    room = None
    if style.cut and left + widths[-1] > style.width:
        room = style.width - left
        if room < _NARROWEST:
            return blocks(rows, style, columns)
        brief = chosen[-1].brief
        if brief is not None:
            for row, line in zip(rows, cells, strict=True):
                line[-1] = printable(brief(row))
    mark = style.marks.more
    lines = [_line([each.heading for each in chosen], widths)]
    for row, line in zip(rows, cells, strict=True):
        if room is not None:
            line[-1] = shortened(line[-1], room, mark)
        lines.append(_line(_painted(row, line, widths, style, columns), widths))
        if row.uses and "uses" not in columns:
            lines += _below(row.uses, columns, widths, style)
    return "\n".join(lines)


def _widths(lines: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(columns_of, column)) for column in zip(*lines, strict=True)]


def _line(cells: Iterable[str], widths: Sequence[int]) -> str:
    parts = [padded(cell, width) for cell, width in zip(cells, widths, strict=True)]
    return (" " * _GAP).join(parts).rstrip()


def _painted(
    row: Row,
    cells: Sequence[str],
    widths: Sequence[int],
    style: Style,
    columns: Sequence[str],
) -> Iterator[str]:
    """Mark which lines are one group's, and colour who owns it."""
    for name, cell, width in zip(columns, cells, widths, strict=True):
        if name == "group" and row.owned is not None and not row.is_first:
            is_last = row.place == row.count - 1
            yield style.marks.last if is_last else style.marks.member
        elif name == "owner" and cell in OWNER_COLOURS:
            yield style.paint(cell, OWNER_COLOURS[cell]) + " " * (width - len(cell))
        else:
            yield cell


def _below(
    uses: str, columns: Sequence[str], widths: Sequence[int], style: Style
) -> Iterator[str]:
    before = columns.index("address") if "address" in columns else 0
    indent = " " * (sum(width + _GAP for width in widths[:before]) + _GAP)
    text = f"in use: {uses}"
    if not style.cut:
        yield indent + printable(text)
        return
    yield from fold(text, style.width, indent, f"{indent}  ").splitlines()
