"""The picture as a flowchart of Mermaid, for issues and forums."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from functools import partial

from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.render.escapes.mermaid import label
from iommu_inspect.render.graph.boxes import lines_of
from iommu_inspect.render.graph.folding import cut, fold, size
from iommu_inspect.render.graph.palette import FILLS, fill_of
from iommu_inspect.render.graph.scene import Kind, Node, Scene

__all__ = ["MOST_EDGES", "MOST_TEXT", "scene_mermaid"]

# Mermaid refuses more (maxEdges, maxTextSize; packages/mermaid/src/schemas/
# config.schema.yaml), and where it draws for others nobody can raise them.
MOST_EDGES, MOST_TEXT = 500, 50_000
_SMALLER = (
    partial(fold, level=2),
    partial(fold, level=3),
    *(partial(cut, depth=depth) for depth in range(8, -1, -1)),
)
_OUTLINES = {
    Ownership.NONE: "stroke:#767676,stroke-width:1px",
    Ownership.KERNEL: "stroke:#1a1a1a,stroke-width:2px",
    Ownership.USER: "stroke:#1b6e2d,stroke-width:4px",
    Ownership.CONFLICT: "stroke:#b00020,stroke-width:4px,stroke-dasharray:12 4",
    Ownership.UNKNOWN: "stroke:#8a5a00,stroke-width:2px,stroke-dasharray:2 3",
}


def scene_mermaid(scene: Scene) -> str:
    """Return the flowchart, folded further until it is one that Mermaid draws.

    What is too large even then says how many devices it leaves out.
    """
    text = _chart(scene)
    for smaller in _SMALLER:
        if len(text) <= MOST_TEXT and size(scene) <= MOST_EDGES:
            break
        scene, text = smaller(scene), ""
        if size(scene) <= MOST_EDGES:
            text = _chart(scene)
    if not text or len(text) > MOST_TEXT:
        words = f"{scene.summary}: too many to draw"
        return f"flowchart LR\n  n0[{label(words)}]"
    return text


def _chart(scene: Scene) -> str:
    keys = {id(node): f"n{number}" for number, node in enumerate(scene.walk())}
    lines = [
        "flowchart LR",
        "  accTitle: IOMMU groups",
        f"  accDescr: {scene.summary}",
    ]
    for root in scene.roots:
        lines += _node_lines(root, keys)
    about = list(scene.notes)
    if scene.hidden:
        about.append(f"{scene.hidden} devices on other branches are not drawn.")
    lines += [
        f"  note{number}[{label(text)}]:::note" for number, text in enumerate(about)
    ]
    return "\n".join([*lines, *_classes(scene, keys)])


def _node_lines(node: Node, keys: dict[int, str]) -> Iterator[str]:
    key = keys[id(node)]
    words = "<br/>".join(label(line)[1:-1] for line in lines_of(node))
    ends = '[["', '"]]'
    if node.kind is Kind.DEVICE or node.kind is Kind.BRIDGE:
        ends = '["', '"]'
    elif node.kind is Kind.GROWTH:
        ends = '("', '")'
    yield f"  {key}{ends[0]}{words}{ends[1]}"
    for child in node.children:
        yield from _node_lines(child, keys)
        yield f"  {key} {_edge(child)} {keys[id(child)]}"


def _edge(node: Node) -> str:
    if node.kind is Kind.GROWTH:
        return "-.-"
    return '===|"isolation is lost"|' if node.marks else "---"


def _classes(scene: Scene, keys: dict[int, str]) -> Iterator[str]:
    """Yield the looks, and which boxes have them: one of a group, one of an owner."""
    members: dict[str, list[str]] = defaultdict(list)
    looks: dict[str, str] = {}
    for node in scene.walk():
        for name, look in _looks(node):
            looks[name] = look
            members[name].append(keys[id(node)])
    if scene.notes or scene.hidden:
        looks["note"] = "fill:#ffffff,color:#1a1a1a,stroke:none"
    for name in sorted(looks):
        yield f"  classDef {name} {looks[name]}"
    for name in sorted(members):
        yield f"  class {','.join(members[name])} {name}"


def _looks(node: Node) -> Iterator[tuple[str, str]]:
    if node.kind is Kind.GROWTH:
        yield "growth", "fill:#ffffff,color:#1a1a1a,stroke-dasharray:6 4"
        return
    hue = 0 if node.hue is None else fill_of(node.hue)
    yield f"group{hue}", f"fill:{FILLS[hue]},color:#1a1a1a"
    if node.ownership is not None:
        yield f"owner-{node.ownership.value}", _OUTLINES[node.ownership]
