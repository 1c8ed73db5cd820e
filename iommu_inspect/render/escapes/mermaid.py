"""Text of a source in Mermaid's flowcharts."""

from __future__ import annotations

import re

from iommu_inspect.model.text import printable

__all__ = ["label"]

# What means nothing in a quoted label. "#" begins a code for a character, a backtick
# a string of Markdown; "<" and "&" are HTML's.
_MEANING = re.compile(r"[^A-Za-z0-9 .,:/_-]")


def label(source: str) -> str:
    """Return a label with its quotes: characters that mean something are codes.

    Mermaid writes those as ``#35;``, by their decimal number. Nodes are to be named by
    the program itself (``n0``): there is no quoting for names.
    """
    codes = _MEANING.sub(lambda found: f"#{ord(found[0])};", printable(source))
    return f'"{codes}"'
