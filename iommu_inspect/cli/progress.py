"""Says on a terminal that something takes a while, and how long it has.

A timer's signal draws it: with a thread beside it the program could not make copies of
itself, and no library's progress can be drawn from a signal.
"""

from __future__ import annotations

import contextlib
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator

__all__ = ["bar", "erase", "telling"]

_PATIENCE, _PACE = 1.0, 0.2
_WIDE = 20
_shown = False


@contextlib.contextmanager
def telling(what: Callable[[], str]) -> Iterator[None]:
    """Tell what is being done once it takes longer than a second.

    Nothing is told where standard error is no terminal.
    """
    if not _can_tell():
        yield
        return
    began = time.monotonic()

    def draw(_: int, __: object) -> None:
        global _shown  # noqa: PLW0603 - there is one terminal
        _shown = True
        passed = int(time.monotonic() - began)
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write(f"\r\x1b[Kiommu-inspect: {what()}, {passed} s")
            sys.stderr.flush()

    before = signal.signal(signal.SIGALRM, draw)
    signal.setitimer(signal.ITIMER_REAL, _PATIENCE, _PACE)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        erase()


def bar(done: int, count: int) -> str:
    """Draw how much of something is done, in characters that every terminal has."""
    full = _WIDE * done // count if count else _WIDE
    return f"[{'#' * full}{'-' * (_WIDE - full)}] {done} of {count}"


def _can_tell() -> bool:
    return (
        bool(sys.stderr)
        and sys.stderr.isatty()
        and threading.current_thread() is threading.main_thread()
        and signal.getsignal(signal.SIGALRM) is signal.SIG_DFL  # nobody tells already
    )


def erase() -> None:
    """Take away what was told, before something else is printed."""
    global _shown  # noqa: PLW0603 - there is one terminal
    if _shown:
        _shown = False
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
