"""What a person asked for and cannot have: one line, exit code 2."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

__all__ = ["BadRequestError", "close_matches"]


class BadRequestError(ValueError):
    """An option, or a file that an option names, makes no sense.

    The message is one line without a full stop that says what to do about it.
    """


def close_matches(word: str, known: Iterable[str]) -> str:
    """Return ``; close matches: a, b``, or nothing where none is close."""
    near = difflib.get_close_matches(word, list(known), 3, 0.5)
    return f"; close matches: {', '.join(near)}" if near else ""
