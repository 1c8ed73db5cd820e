"""How text is laid out: width, colours, tables that fold."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterator, Sequence

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.text import printable
from iommu_inspect.render.text import fold

__all__ = ["ASCII_MARKS", "PLAIN", "Marks", "Paint", "Style", "table"]

Paint = Callable[[str, str], str]
_GAP = 2
_NARROWEST = 16


def _no_paint(text: str, _colour: str) -> str:
    return text


@dataclass(frozen=True, slots=True)
class Marks:
    """What is drawn with letters: what goes on, what is one of several, the last."""

    more: str = "…"
    member: str = " ├"
    last: str = " └"


ASCII_MARKS = Marks("...", " |", " `")
"""For an output whose encoding has no others."""


@dataclass(frozen=True, slots=True)
class Style:
    """How to print: the width in columns, and what colours a word.

    What is not ``cut`` is as long as it is: nobody has to look at it on a terminal.
    """

    width: int = 80
    paint: Paint = _no_paint
    cut: bool = True
    marks: Marks = Marks()


PLAIN = Style()


def table(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    style: Style,
    paints: dict[int, dict[str, str]],
    below: Sequence[str] = (),
    narrowest: int = _NARROWEST,
) -> str:
    """Lay out rows; the last column is folded to what is left of the width.

    ``below`` has a text for each row, or an empty one, to stand below it from the
    third column on; no row's third cell is empty then. Where the last column would be
    narrower than ``narrowest`` each row is a block, with a line for each cell.
    """
    from tabulate import tabulate

    cells = [[printable(cell) for cell in row] for row in rows]
    columns = list(zip(headers, *cells, strict=True)) if cells else []
    fixed = sum(max(map(len, column)) + _GAP for column in columns[:-1])
    if cells and style.width - fixed < narrowest:
        return "\n".join(_blocks(headers, cells, style, paints, below))
    room = max(style.width - fixed, narrowest)
    rows_of_text = [list(headers), *cells]
    widest: list[int | None] = [None] * len(headers)
    if all(_is_simple(row[-1], room) for row in rows_of_text):
        # It would fold each cell, long or not, with most of the time that it takes.
        rows_of_text = [[*row[:-1], _folded(row[-1], room)] for row in rows_of_text]
    else:
        widest[-1] = room  # it knows how wide letters are, and breaks words
    # The headers go in as a row: as headers they would widen their columns.
    text = tabulate(
        rows_of_text,
        tablefmt="plain",
        disable_numparse=True,
        maxcolwidths=None if widest[-1] is None else widest,
    )
    if not cells:
        return text
    painted = _painted(text, columns, style, paints)
    if not any(below):
        return painted
    indent = sum(max(map(len, column)) + _GAP for column in columns[:2])
    starts = [
        number
        for number, line in enumerate(text.splitlines()[1:], 1)
        if line[indent : indent + 1].strip()
    ]
    if len(starts) != len(rows):
        # A third cell that is nothing but space: the rows cannot be told apart.
        return "\n".join(
            [painted, *(fold(text, style.width) for text in below if text)]
        )
    ends = [*starts[1:], len(text.splitlines())]
    lines = painted.splitlines()
    # From the end, so that what is put in moves nothing that is still to be found.
    for end, words in sorted(zip(ends, below, strict=True), reverse=True):
        if words:
            more = " " * (indent + _GAP)
            lines[end:end] = fold(words, style.width, more, f"{more}  ").splitlines()
    return "\n".join(lines)


def _blocks(
    headers: Sequence[str],
    rows: Sequence[Sequence[str]],
    style: Style,
    paints: dict[int, dict[str, str]],
    below: Sequence[str],
) -> Iterator[str]:
    """Yield a line for each cell; those of rows without a first cell go on with it."""
    for number, row in enumerate(rows):
        if number and row[0]:
            yield ""
        shown = [(place, cell) for place, cell in enumerate(row) if cell]
        for nth, (place, cell) in enumerate(shown):
            depth = 0 if place == 0 else min(nth + (not row[0]), 2)
            indent = "  " * depth
            label = f"{headers[place].lower()}: "
            for line in fold(
                f"{label}{cell}", style.width, indent, indent + "  "
            ).split("\n"):
                colour = paints.get(place, {}).get(cell)
                painted = style.paint(cell, colour) if colour else cell
                yield line.replace(cell, painted, 1)
        if below and below[number]:
            yield fold(below[number], style.width, "  ", "    ")


def _is_simple(cell: str, room: int) -> bool:
    words = cell.split() if len(cell) > room else ()
    return cell.isascii() and all(len(word) <= room for word in words)


def _folded(cell: str, room: int) -> str:
    """Fold a cell as tabulate does."""
    if len(cell) <= room and cell.isprintable():
        return cell
    return "\n".join(textwrap.wrap(cell, room))


def _painted(
    text: str,
    columns: Sequence[Sequence[str]],
    style: Style,
    paints: dict[int, dict[str, str]],
) -> str:
    """Colour the words of the columns that have colours, where they stand."""
    widths = [max(map(len, column)) for column in columns]
    lines = text.splitlines()
    for index, colours in paints.items():
        start = sum(width + _GAP for width in widths[:index])
        end = start + widths[index]
        for number, line in enumerate(lines[1:], 1):
            word = line[start:end].strip()
            colour = colours.get(word, "red" if word.startswith("-E") else "")
            if word and colour:
                painted = style.paint(word, colour) + " " * (end - start - len(word))
                lines[number] = line[:start] + painted + line[end:]
    return "\n".join(line.rstrip() for line in lines)
