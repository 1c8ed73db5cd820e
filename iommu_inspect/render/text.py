"""Text for people, folded."""

from __future__ import annotations

import textwrap

from iommu_inspect.model.text import printable

__all__ = ["fold"]


def fold(text: str, width: int, indent: str = "", hanging: str | None = None) -> str:
    """Fold a paragraph to ``width`` columns; long words stay whole.

    ``hanging`` indents the lines after the first, if not as ``indent`` does.
    """
    return textwrap.fill(
        printable(text),
        width=max(width, 20),
        initial_indent=indent,
        subsequent_indent=indent if hanging is None else hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
