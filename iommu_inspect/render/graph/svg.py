"""The picture as an SVG: text that can be selected, found and read aloud."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iommu_inspect.model.text import printable
from iommu_inspect.render.escapes.html import text
from iommu_inspect.render.graph.palette import fill_of
from iommu_inspect.render.graph.scene import Kind, Node, Scene
from iommu_inspect.render.graph.svg_layout import LINE, MARGIN, Box, boxes, width_of
from iommu_inspect.render.graph.svg_legend import legend
from iommu_inspect.render.graph.svg_style import patterns, sign_of, style_sheet
from iommu_inspect.render.text import fold

__all__ = ["scene_svg"]

_ELBOW, _UP, _FIELD = 12, 12, 12
_COLUMNS = 96


def scene_svg(scene: Scene, *, prefix: str = "ii", inline: bool = False) -> str:
    """Return the picture.

    Args:
        scene: What to draw.
        prefix: What all ids begin with, so that several fit into one page.
        inline: Leave out the XML's namespace and the style sheet, which a page around
            it has (`svg_style.style_sheet()`).
    """
    width = width_of(scene)
    head = [*_heading(scene)]
    placed = boxes(scene, MARGIN + LINE * len(head) + 8)
    bottom = max((box.y + box.height for box in placed), default=MARGIN + LINE)
    below, height = legend(scene, bottom + 24)
    start = "<svg" if inline else '<svg xmlns="http://www.w3.org/2000/svg"'
    lines = [
        f'{start} class="ii" width="{width}" height="{height:g}" '
        f'viewBox="0 0 {width} {height:g}" role="group" '
        f'aria-labelledby="{prefix}-title {prefix}-desc">',
        f'<title id="{prefix}-title">{text(scene.title)}</title>',
        f'<desc id="{prefix}-desc">{text(_described(scene))}</desc>',
        *([] if inline else [f"<style>{style_sheet()}</style>"]),
        f"<defs>{patterns(prefix)}</defs>",
        f'<rect class="paper" width="{width}" height="{height:g}"/>',
    ]
    lines += [
        f'<text x="{MARGIN}" y="{MARGIN + LINE * (number + 1) - 4}">{text(line)}</text>'
        for number, line in enumerate(head)
    ]
    lines += [*_edges(placed)]
    for number, box in enumerate(placed):
        lines += _box(box, f"{prefix}-{number}", prefix)
    return "\n".join([*lines, *below, "</svg>"])


def _heading(scene: Scene) -> Iterator[str]:
    yield f"{scene.summary}."
    if scene.hidden:
        yield f"{scene.hidden} devices on other branches are not drawn."
    for note in scene.notes:
        yield from fold(note, _COLUMNS).splitlines()


def _described(scene: Scene) -> str:
    lost = sum(len(node.marks) for node in scene.walk())
    words = [
        f"{scene.summary}.",
        "A tree: root buses, below them bridges and devices, each with its group and "
        "who owns the group.",
    ]
    if lost:
        words.append(f"Isolation is lost at {lost} place{'' if lost == 1 else 's'}.")
    return " ".join(words)


def _edges(placed: Sequence[Box]) -> Iterator[str]:
    for box in placed:
        if box.above is None:
            continue
        above = placed[box.above]
        x, y = above.x + _ELBOW, box.y + _UP
        kind = "edge coming" if box.node.kind is Kind.GROWTH else "edge"
        start = above.y + above.height
        yield f'<path class="{kind}" d="M{x:g} {start:g}V{y:g}H{box.x:g}"/>'
        if box.node.marks:
            yield f'<path class="edge lost" d="M{x:g} {y:g}H{box.x:g}"/>'


def _box(box: Box, name: str, prefix: str) -> Iterator[str]:
    node = box.node
    yield f'<g role="img" aria-labelledby="{name}">'
    yield f'<title id="{name}">{text(_sentence(node))}</title>'
    yield (
        f'<rect class="{_looks(node)}" x="{box.x:g}" y="{box.y:g}" '
        f'width="{box.width:g}" height="{box.height:g}" rx="4"/>'
    )
    if node.hue is not None:
        yield (
            f'<rect fill="{sign_of(prefix, node.hue)}" x="{box.x + 4:g}" '
            f'y="{box.y + 4:g}" width="{_FIELD}" height="{box.height - 8:g}"/>'
        )
    for number, line in enumerate(box.lines):
        y = box.y + LINE * (number + 1)
        kind = f' class="{line.kind}"' if line.kind else ""
        said = text(line.text)
        if line.more:
            said = f"<tspan{kind}>{said}</tspan>{text(line.more)}"
            kind = ""
        yield f'<text{kind} x="{box.text_x:g}" y="{y:g}">{said}</text>'
    if box.right:
        x = box.x + box.width - 8
        yield (
            f'<text text-anchor="end" x="{x:g}" y="{box.y + LINE:g}">'
            f"{text(box.right)}</text>"
        )
    yield "</g>"


def _sentence(node: Node) -> str:
    """Say what the box says, for who hears it."""
    driver = f"driver {node.driver}" if node.driver not in ("", "-") else ""
    parts = [node.title, node.counted, driver, node.group_words]
    if node.owner_word:
        parts.append(f"owner {node.owner_word}")
    if node.asked:
        parts.append("asked for")
    parts += [node.use, *node.marks]
    return ", ".join(map(printable, filter(None, parts)))


def _looks(node: Node) -> str:
    if node.kind is Kind.ROOT:
        return "box root"
    if node.kind is Kind.GROWTH:
        return "box coming"
    hue = 0 if node.hue is None else fill_of(node.hue)
    words = ["box", f"g{hue}", node.owner_word, "asked" if node.asked else ""]
    return " ".join(filter(None, words))
