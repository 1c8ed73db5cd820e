"""The lines in a box, for languages that make boxes of their own."""

from __future__ import annotations

import textwrap

from iommu_inspect.model.text import printable
from iommu_inspect.render.graph.scene import Kind, Node

__all__ = ["lines_of"]

_WIDTH = 56


def lines_of(node: Node) -> tuple[str, ...]:
    """Return what a box says: its name, its groups and their owner, what it is."""
    if node.kind is Kind.GROWTH:
        return _folded(f"{node.group_words} {node.counted}")
    if node.kind is Kind.ROOT:
        return (printable(node.title), *_folded(node.what))
    parts = [node.group_words, node.owner_word and f"owner {node.owner_word}"]
    if node.driver not in ("", "-"):
        parts.append(f"driver {node.driver}")
    said = [node.counted, node.use, *node.marks]
    if node.asked:
        parts.insert(0, "asked for")
    return (
        printable(node.title),
        *_folded(", ".join(filter(None, parts))),
        *(line for text in said for line in _folded(text)),
    )


def _folded(text: str) -> tuple[str, ...]:
    return tuple(textwrap.wrap(printable(text), _WIDTH, break_on_hyphens=False))
