"""Only the branches that were asked for."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from iommu_inspect.model.identity import DeviceId
from iommu_inspect.render.graph.scene import Kind, Node, Scene

__all__ = ["narrowed"]


def narrowed(scene: Scene, wanted: Collection[DeviceId]) -> Scene:
    """Keep the ways from the wanted devices up, and what is below one asked for.

    How many devices that leaves out is counted in ``hidden``.
    """
    roots = tuple(filter(None, (_kept(root, wanted) for root in scene.roots)))
    shown = sum(len(node.devices) for root in roots for node in root.walk())
    total = sum(len(node.devices) for node in scene.walk())
    return replace(scene, roots=roots, hidden=total - shown)


def _kept(node: Node, wanted: Collection[DeviceId]) -> Node | None:
    if node.asked:
        return node
    here = any(name in wanted for name in node.devices)
    below = [_kept(child, wanted) for child in node.children]
    kept = tuple(filter(None, below))
    if not kept and not here:
        return None
    # What may come below a device that is shown is part of its answer.
    growth = tuple(c for c in node.children if here and c.kind is Kind.GROWTH)
    return replace(node, children=(*kept, *growth))
