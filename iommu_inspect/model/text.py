"""What may reach a terminal: names come from sources that anybody made."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable

__all__ = ["listed", "natural_key", "printable", "printable_lines", "shown"]

_MOST_LISTED = 32
_DIGITS = re.compile(r"(\d+)")
# Colours, as the program itself writes them; or a character that is to be looked at.
_OBEYED = re.compile(r"(\x1b\[[0-9;]{0,8}m)|[^\n -~]")


def printable(text: str) -> str:
    r"""Escape what a terminal would obey: ``\x1b``, newlines, bidi overrides.

    Names come from sources that anybody may have made.
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(_printable_character(character) for character in text)


def printable_lines(text: str) -> str:
    """Escape the same in lines that are laid out: newlines stay, and so do colours.

    This is what all output goes through last. Names have been escaped before, where
    they were put into a line, for here a newline in one could not be told any more.
    """
    return _OBEYED.sub(lambda found: found[1] or printable(found[0]), text)


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


def listed(words: Iterable[str]) -> str:
    """Join words as a sentence does: ``a``, ``a and b``, ``a, b and c``.

    Nobody reads a sentence of hundreds: of more than 32 the rest is counted.
    """
    items = list(words)
    if len(items) > _MOST_LISTED:
        items[_MOST_LISTED:] = [f"{len(items) - _MOST_LISTED} more"]
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def shown(name: str) -> str:
    """Return a name for use in prose, where a newline in it would begin a command."""
    return printable(name)


def natural_key(text: str) -> tuple[tuple[int, str], ...]:
    """Order text so that numbers inside it count as numbers (2 before 10).

    They may have more digits than Python makes a number of: of two, the one with more
    of them is the larger.
    """
    return tuple(
        (len(digits := part.lstrip("0")), digits) if part.isdecimal() else (-1, part)
        for part in _DIGITS.split(text)
        if part
    )
