"""Where the boxes of the SVG stand: one below the other, further right the deeper."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.text import printable
from iommu_inspect.render.graph.scene import Kind, Node, Scene

__all__ = ["CHARACTER", "LINE", "MARGIN", "STEP", "Box", "Line", "boxes", "width_of"]

# In pixels. A character of a monospaced font at 12px is at most 7.3 wide.
CHARACTER = 7.3
LINE, MARGIN, STEP = 16, 16, 26
_GAP, _PAD, _FIELD = 8, 8, 16
_WIDTH = 720


@dataclass(frozen=True, slots=True)
class Line:
    """A line of text; ``kind`` is how it looks: a name, faint, or what is lost.

    ``more`` is plain text that follows.
    """

    text: str
    kind: str = ""
    more: str = ""


@dataclass(frozen=True, slots=True)
class Box:
    """A node with its place, its lines, and the number of the box above, if any.

    ``right`` is what stands at the right end of the first line.
    """

    node: Node
    x: float
    y: float
    width: float
    height: float
    lines: tuple[Line, ...]
    right: str
    above: int | None

    @property
    def text_x(self) -> float:
        """Where its lines begin, right of the field with the sign of its group."""
        return self.x + _PAD + (_FIELD if self.node.hue is not None else 0)


def width_of(scene: Scene) -> int:
    """Return how wide the picture is: a deep tree needs more."""
    depth = max((_depth(root) for root in scene.roots), default=0)
    return 2 * MARGIN + _WIDTH + STEP * depth


def _depth(node: Node) -> int:
    return max((_depth(child) + 1 for child in node.children), default=0)


def boxes(scene: Scene, top: float) -> tuple[Box, ...]:
    """Return the boxes from the top down, in the order of the scene."""
    width = width_of(scene)
    found: list[Box] = []

    def place(node: Node, depth: int, above: int | None) -> None:
        x = MARGIN + STEP * depth
        y = found[-1].y + found[-1].height + _GAP if found else top
        room = width - MARGIN - x
        right = _right(node)
        lines = tuple(_lines(node, room, right))
        height = len(lines) * LINE + _PAD
        found.append(Box(node, x, y, room, height, lines, right, above))
        number = len(found) - 1
        for child in node.children:
            place(child, depth + 1, number)

    for root in scene.roots:
        place(root, 0, None)
    return tuple(found)


def _right(node: Node) -> str:
    owner = node.owner_word and f"owner {node.owner_word}"
    asked = "asked for" if node.asked else ""
    return ", ".join(filter(None, (asked, node.group_words, owner)))


def _lines(node: Node, room: float, right: str) -> Iterator[Line]:
    most = int((room - 2 * _PAD - _FIELD) / CHARACTER)
    beside = most - len(printable(right)) - 2
    if node.kind is Kind.GROWTH:
        yield from _folded(node.counted, max(beside, 20), "faint")
        return
    title, driver = printable(node.title), printable(_driver(node))
    if driver and len(title) + 2 + len(driver) <= beside:
        yield Line(title, "name", f"  {driver}")
    else:
        yield from _folded(node.title, max(beside, 20), "name")
        yield from _folded(driver, most, "")
    yield from _folded(node.counted, most, "")
    yield from _folded(node.use, most, "faint")
    for mark in node.marks:
        yield from _folded(f"\u26a0 {mark}", most, "lost")


def _driver(node: Node) -> str:
    if node.driver in ("", "-"):
        return ""
    return "driver not told" if node.driver == "?" else f"driver {node.driver}"


def _folded(text: str, width: int, kind: str) -> Iterator[Line]:
    for line in textwrap.wrap(printable(text), width, break_on_hyphens=False):
        yield Line(line, kind)
