"""What a person asked for and cannot have: one line, exit code 2."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["BadRequestError", "close_matches", "nearest"]


class BadRequestError(ValueError):
    """What was asked for makes no sense: an argument, an option, a file it names.

    The message is one line without a full stop that says what to do about it.
    """


def nearest(
    word: str, names: Iterable[str], most: int = 3, cutoff: float = 0.5
) -> list[str]:
    """Return the names that are most like a word, the nearest first.

    Args:
        word: what was asked for.
        names: what there is.
        most: how many to return at most.
        cutoff: how like they have to be, from 0 to 1.
    """
    import difflib

    return difflib.get_close_matches(word, list(names), most, cutoff)


def close_matches(word: str, names: Iterable[str]) -> str:
    """Return ``; close matches: a, b``, or nothing where none is close."""
    near = nearest(word, names)
    return f"; close matches: {', '.join(near)}" if near else ""
