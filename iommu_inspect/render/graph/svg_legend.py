"""What the signs of the SVG mean: only those that are in it."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.render.graph.scene import Kind, Scene
from iommu_inspect.render.graph.svg_layout import LINE, MARGIN

__all__ = ["legend"]

_OWNERS = {
    Ownership.NONE: "none: no driver of the host uses DMA in the group",
    Ownership.KERNEL: "kernel: drivers of the host own the group",
    Ownership.USER: "user: on vfio, for user space",
    Ownership.CONFLICT: "conflict: on vfio and on a driver of the host",
    Ownership.UNKNOWN: "unknown: who owns the group cannot be told",
}
_ROW = 24


def legend(scene: Scene, top: float) -> tuple[tuple[str, ...], float]:
    """Return the lines of the legend, and where the picture ends below it."""
    rows = [*_rows(scene)]
    lines = []
    for number, (drawn, words) in enumerate(rows):
        y = top + _ROW * number
        lines.append(drawn.format(x=MARGIN, y=y, middle=y + 8, right=MARGIN + 36))
        lines.append(f'<text x="{MARGIN + 48}" y="{y + 12:g}">{words}</text>')
    return tuple(lines), top + _ROW * len(rows) + MARGIN - (_ROW - LINE)


def _rows(scene: Scene) -> Iterator[tuple[str, str]]:
    nodes = [*scene.walk()]
    owners = {node.ownership for node in nodes}
    for owner, words in _OWNERS.items():
        if owner in owners:
            yield _rectangle(f"box g0 {owner.value}"), f"owner {words}"
    if any(node.hue is not None for node in nodes):
        yield _rectangle("box g1"), "colour and hatching: a group of several devices"
    if any(node.marks for node in nodes):
        edge = '<path class="edge lost" d="M{x} {middle:g}H{right}"/>'
        yield edge, "isolation is lost at the device that this leads to"
    if any(node.kind is Kind.GROWTH for node in nodes):
        yield _rectangle("box coming"), "not there yet: what may come into a group"


def _rectangle(looks: str) -> str:
    return (
        f'<rect class="{looks}" x="{{x}}" y="{{y:g}}" width="36" height="16" rx="4"/>'
    )
