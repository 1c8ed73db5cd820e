"""Text that is laid out for a terminal, taken apart: prose, and lines to be copied."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.render.layout import Style

__all__ = ["WIDE", "Piece", "pieces"]

# Nothing is folded: the page does that.
WIDE = Style(1_000_000)
_CODE, _NOTE = "    ", "      "


@dataclass(frozen=True, slots=True)
class Piece:
    """A paragraph, or lines of code."""

    text: str
    code: bool = False


def pieces(blocks: Iterable[str]) -> tuple[Piece, ...]:
    """Take apart what was laid out ``WIDE``: what is indented by four is code.

    By six it is a note on the code above.
    """
    found: list[Piece] = []
    for block in blocks:
        for line in block.splitlines():
            code = line.startswith(_CODE) and not line.startswith(_NOTE)
            if code and found and found[-1].code:
                found[-1] = Piece(f"{found[-1].text}\n{line.strip()}", code=True)
            elif line.strip():
                found.append(Piece(line.strip(), code=code))
    return tuple(found)
