"""The picture for a terminal: a tree with columns."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.text import printable
from iommu_inspect.render.graph.scene import Kind, Node, Scene
from iommu_inspect.render.layout import ASCII_MARKS, PLAIN, Style
from iommu_inspect.render.text import fold
from iommu_inspect.render.width import columns_of, shortened

__all__ = ["scene_tree"]

_BOXES = "├─└│┄"
_ASCII = str.maketrans(_BOXES, "|-`|.")
_COLOURS = {"conflict": "red", "user": "green", "unknown": "yellow"}
_HEADERS = ("DEVICE", "GROUP", "OWNER", "DRIVER", "WHAT IT IS")
_GAP = "  "
# A longer cell does not widen its column; what is right of it moves.
_WIDEST = (36, 12, 8, 16)
_NARROWEST = 20


@dataclass(frozen=True, slots=True)
class _Row:
    """A node, what stands before it, and before what is said of it on more lines."""

    node: Node
    before: str
    below: str


def scene_tree(scene: Scene, style: Style = PLAIN) -> str:
    """Return the tree, as wide as the style says, and in ASCII where it says that."""
    rows = [row for root in scene.roots for row in _rows(root, "", "")]
    widths = _widths(rows)
    lines = [fold(f"{scene.summary}.", style.width), ""] if scene.roots else []
    if rows:
        room = style.width - _start(widths) >= _NARROWEST
        lines.append(_cells(_HEADERS if room else _HEADERS[:-1], widths))
    for row in rows:
        lines += _lines(row, widths, style)
    if scene.hidden:
        count = f"{scene.hidden} device{'' if scene.hidden == 1 else 's'}"
        lines += ["", fold(f"({count} on other branches)", style.width)]
    if scene.notes:
        lines += ["", *(fold(note, style.width) for note in scene.notes)]
    text = "\n".join(lines)
    return text.translate(_ASCII) if style.marks == ASCII_MARKS else text


def _rows(node: Node, before: str, below: str) -> Iterator[_Row]:
    # Lines below a node go on down to what is below it.
    yield _Row(node, before, below + ("│ " if node.children else "  "))
    for child in node.children:
        last = child is node.children[-1]
        edge = "┄ " if child.kind is Kind.GROWTH else "─ "
        branch = below + ("└" if last else "├")
        yield from _rows(child, branch + edge, below + ("   " if last else "│  "))


def _first(row: _Row) -> str:
    return row.before + printable(row.node.title)


def _table_cells(row: _Row) -> tuple[str, str, str, str]:
    node = row.node
    return (_first(row), node.group_ids, node.owner_word or "-", node.driver)


def _widths(rows: Sequence[_Row]) -> tuple[int, ...]:
    """Return the widths of the columns but for the last."""
    cells = [_table_cells(r) for r in rows if r.node.kind in (Kind.BRIDGE, Kind.DEVICE)]
    columns = zip(_HEADERS[:-1], *cells, strict=True)
    return tuple(
        min(max(len(printable(cell)) for cell in column), widest)
        for column, widest in zip(columns, _WIDEST, strict=True)
    )


def _start(widths: Sequence[int]) -> int:
    """Return where the last column begins."""
    return sum(widths) + len(_GAP) * len(widths)


def _cells(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [
        cell.ljust(width) for cell, width in zip(cells, (*widths, 0), strict=False)
    ]
    return _GAP.join(padded).rstrip()


def _lines(row: _Row, widths: Sequence[int], style: Style) -> Iterator[str]:
    node = row.node
    if node.kind is Kind.ROOT:
        yield fold(f"{_first(row)}{_GAP}{node.what}", style.width, hanging=row.below)
        return
    if node.kind is Kind.GROWTH:
        text = f"{row.before}{node.group_words} {node.counted}"
        yield fold(text, style.width, hanging=f"{row.below}  ")
        return
    yield from _device_lines(row, widths, style)
    more = [(node.use, ""), *((mark, "red") for mark in node.marks)]
    for text, colour in more:
        if not text:
            continue
        word = "<-- " if colour else ""
        indent = f"{row.below}{_GAP}"
        for line in fold(word + text, style.width, indent).splitlines():
            said = line.removeprefix(indent)
            yield indent + (style.paint(said, colour) if colour else said)


def _device_lines(row: _Row, widths: Sequence[int], style: Style) -> Iterator[str]:
    node = row.node
    cells = list(map(printable, _table_cells(row)))
    start = _start(widths)
    words = cells[2]
    head = _cells(cells, widths).ljust(start)
    room = style.width - start
    if room < _NARROWEST or len(head) > start:
        # The columns have no room left: what it is goes below.
        yield _painted(head.rstrip(), words, style)
        indent = f"{row.below}{_GAP}"
        yield indent + _what(node, style, style.width - len(indent))
        return
    yield _painted(f"{head}{_what(node, style, room)}".rstrip(), words, style)


def _what(node: Node, style: Style, room: int) -> str:
    """Say what a device is in one line: its ids come before the names."""
    asked = "(asked for) " if node.asked else ""
    text = printable(asked + node.counted)
    if not style.cut or columns_of(text) <= room:
        return text
    brief = printable(asked + node.counted_briefly)
    return shortened(brief, max(room, _NARROWEST), style.marks.more)


def _painted(line: str, word: str, style: Style) -> str:
    """Colour the owner in a line, where it stands between gaps."""
    colour = _COLOURS.get(word)
    if colour is None:
        return line
    head, found, tail = line.partition(f"{_GAP}{word}")
    return f"{head}{_GAP}{style.paint(word, colour)}{tail}" if found else line
