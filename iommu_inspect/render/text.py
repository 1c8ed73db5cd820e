"""Text for people: what may reach a terminal, and how it is folded."""

from __future__ import annotations

import textwrap
import unicodedata

__all__ = ["fold", "printable"]


def printable(text: str) -> str:
    r"""Escape what a terminal would obey: ``\x1b``, newlines, bidi overrides.

    Names come from sources that anybody may have made.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable_character(character) for character in text)


def _printable_character(character: str) -> str:
    # "C" are control, format (bidi), surrogate, private and unassigned characters,
    # "Zl" and "Zp" the separators that some terminals take for newlines.
    category = unicodedata.category(character)
    if category[0] != "C" and category not in ("Zl", "Zp"):
        return character
    code = ord(character)
    if 0xDC80 <= code <= 0xDCFF:  # a byte that was no UTF-8, kept by surrogateescape
        code -= 0xDC00
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def fold(text: str, width: int, indent: str = "") -> str:
    """Fold a paragraph to ``width`` columns; long words stay whole."""
    return textwrap.fill(
        printable(text),
        width=max(width, 20),
        initial_indent=indent,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
