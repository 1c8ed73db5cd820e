"""Makes an input that fails smaller, as long as it fails in the same way."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

__all__ = ["shrunk"]


def shrunk(
    data: bytes, fails: Callable[[bytes], bool], *, by_lines: bool, seconds: float
) -> bytes:
    """Return a smaller input that fails too.

    Args:
        data: What fails.
        fails: Whether something smaller fails in the same way.
        by_lines: Whether whole lines are left out before bytes are.
        seconds: How long to try.
    """
    end = time.process_time() + seconds
    if by_lines:
        lines = data.splitlines(keepends=True)
        data = b"".join(_fewer(lines, lambda some: fails(b"".join(some)), end))
    pieces = [data[at : at + 1] for at in range(len(data))]
    return b"".join(_fewer(pieces, lambda some: fails(b"".join(some)), end))


def _fewer(
    pieces: Sequence[bytes], fails: Callable[[Sequence[bytes]], bool], end: float
) -> Sequence[bytes]:
    """Leave out halves, quarters and so on, down to single pieces."""
    size = len(pieces) // 2
    while size:
        at = 0
        while at < len(pieces):
            if time.process_time() > end:
                return pieces
            fewer = [*pieces[:at], *pieces[at + size :]]
            if fails(fewer):
                pieces = fewer
            else:
                at += size
        size //= 2
    return pieces
