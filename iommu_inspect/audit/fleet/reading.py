"""From what was opened of a host to its row."""

from __future__ import annotations

from iommu_inspect.audit.baseline_document import is_document
from iommu_inspect.audit.fleet.documents import side_in
from iommu_inspect.audit.fleet.side import Asked, Side, side_of
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.tree.opening import Text
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["read_side"]


def read_side(opened: Tree | Text, asked: Asked) -> Side:
    """Read and judge one host: a capture, a text, or a document.

    Raises:
        SourceError: it is of no known kind, or not whole.
    """
    if isinstance(opened, Text) and is_document(opened.content):
        return side_in(opened.content, opened.label, asked)
    return side_of(read_source(opened, processes=True), asked)
