"""Text of a source in DOT, as Graphviz reads it."""

from __future__ import annotations

from iommu_inspect.model.text import printable

__all__ = ["label", "name"]


def name(source: str) -> str:
    r"""Return the name of a node, a graph or a group of nodes, with its quotes.

    In a quoted string only ``\"`` is an escape (the lexer, lib/cgraph/scan.l): a
    backslash at the end of one would hold it open, so that each is written twice.
    ``&amp;`` is a character in every string, and what looks like such a name of one
    gets into an SVG as it is.
    """
    return f'"{_escaped(source)}"'


def label(*lines: str) -> str:
    r"""Return a label of some lines, with its quotes; not one for a record.

    A label is read a second time: ``\N`` is the node's name in it, and ``\n`` ends a
    line (the type escString).
    """
    return '"{}"'.format("\\n".join(map(_escaped, lines)))


def _escaped(source: str) -> str:
    text = printable(source).replace("\\", "\\\\").replace('"', '\\"')
    return text.replace("&", "&amp;")
