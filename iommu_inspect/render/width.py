"""How many columns of a terminal a text takes, and what of it fits."""

from __future__ import annotations

import unicodedata

__all__ = ["columns_of", "padded", "shortened"]

_WIDE = ("W", "F")


def columns_of(text: str) -> int:
    """Return the columns that a printable text takes: two for each wide letter."""
    if text.isascii():
        return len(text)
    return sum(map(_columns, text))


def _columns(letter: str) -> int:
    if unicodedata.combining(letter):
        return 0
    return 2 if unicodedata.east_asian_width(letter) in _WIDE else 1


def padded(text: str, width: int) -> str:
    """Fill a text with spaces up to a width."""
    return text + " " * max(0, width - columns_of(text))


def shortened(text: str, width: int, mark: str = "…") -> str:
    """Return as much of a text as fits, with a mark at its end if that is not all."""
    if columns_of(text) <= width:
        return text
    room = max(0, width - len(mark))
    kept = 0
    for length, letter in enumerate(text):
        kept += _columns(letter)
        if kept > room:
            return text[:length].rstrip() + mark
    return text
