"""The picture in DOT, for Graphviz."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.render.escapes.dot import label, name
from iommu_inspect.render.graph.boxes import lines_of
from iommu_inspect.render.graph.palette import FILLS, fill_of
from iommu_inspect.render.graph.scene import Kind, Node, Scene

__all__ = ["scene_dot"]

_HEAD = """\
  graph [rankdir=LR, ranksep=0.4, nodesep=0.15, fontname="sans-serif"];
  node [shape=box, style="filled", fillcolor="#ffffff", fontname="sans-serif",
        fontsize=10, margin="0.1,0.05"];
  edge [arrowhead=none, fontname="sans-serif", fontsize=9];"""
_OUTLINES = {
    Ownership.NONE: 'color="#767676", penwidth=1',
    Ownership.KERNEL: 'color="#1a1a1a", penwidth=2',
    Ownership.USER: 'color="#1b6e2d", penwidth=4',
    Ownership.CONFLICT: 'color="#b00020", penwidth=4, peripheries=2',
    Ownership.UNKNOWN: 'color="#8a5a00", penwidth=2, style="filled,dotted"',
}
_LOST = 'color="#b00020", fontcolor="#b00020", penwidth=3, label="isolation is lost"'


def scene_dot(scene: Scene) -> str:
    """Return the graph: a node a box, named by its number, and edges downwards.

    The shapes of outlines and the labels say what colours say.
    """
    keys = {id(node): f"n{number}" for number, node in enumerate(scene.walk())}
    about = [scene.summary, *scene.notes]
    if scene.hidden:
        about.append(f"{scene.hidden} devices on other branches are not drawn.")
    lines = [f"digraph {name(scene.title)} {{", _HEAD]
    lines.append(f"  label={label(*about)};")
    for root in scene.roots:
        lines += _node_lines(root, keys)
    return "\n".join([*lines, "}"])


def _node_lines(node: Node, keys: dict[int, str]) -> Iterator[str]:
    key = keys[id(node)]
    yield f"  {key} [label={label(*lines_of(node))}, {_look(node)}];"
    for child in node.children:
        yield from _node_lines(child, keys)
        look = _edge(child)
        yield f"  {key} -> {keys[id(child)]}{f' [{look}]' if look else ''};"


def _look(node: Node) -> str:
    if node.kind is Kind.ROOT:
        return 'shape=folder, color="#767676"'
    if node.kind is Kind.GROWTH:
        return 'style="dashed", color="#767676"'
    outline = _OUTLINES.get(node.ownership or Ownership.NONE, "")
    bold = ', fontname="sans-serif bold"' if node.asked else ""
    fill = FILLS[0] if node.hue is None else FILLS[fill_of(node.hue)]
    return f'fillcolor="{fill}", {outline}{bold}'


def _edge(node: Node) -> str:
    if node.kind is Kind.GROWTH:
        return "style=dashed"
    return _LOST if node.marks else ""
