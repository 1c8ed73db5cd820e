"""Spreads work over the processors of this host, where there is enough of it."""

from __future__ import annotations

import os
import pickle
from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar, cast

from iommu_inspect.model.dataclass import dataclass

__all__ = ["WORTH_PROCESSES", "spread"]

T = TypeVar("T")

WORTH_PROCESSES = 300
"""From how many questions on it is worth to make processes (docs/benchmarks.md)."""
_MOST = 8
_PIECE = 1 << 20


def spread(function: Callable[[int], T], count: int) -> Iterable[T]:
    """Ask a function for each number below another; answers are in order.

    Many are asked in several processes, which are copies of this one: the function may
    be anything, and only what it returns is sent. Not those of `concurrent.futures`:
    they wait for work, for ever where this process is killed, and these end.
    """
    processes = min(len(os.sched_getaffinity(0)), _MOST)
    if count < WORTH_PROCESSES or processes < 2:
        return map(function, range(count))
    # Neighbours are alike, and so take as long: each process has every nth.
    shares = [range(first, count, processes) for first in range(processes)]
    copies = [_start(function, share) for share in shares[1:]]
    found: dict[int, T] = {number: function(number) for number in shares[0]}
    for share, copy in zip(shares[1:], copies, strict=True):
        answers = copy.answers() if copy else None
        if answers is None:  # there is no such process, or it came to nothing
            answers = [function(number) for number in share]
        found.update(zip(share, cast("Sequence[T]", answers), strict=True))
    return [found[number] for number in range(count)]


@dataclass(frozen=True, slots=True)
class _Copy:
    """A copy of this process that answers, and the pipe from it."""

    pid: int
    pipe: int

    def answers(self) -> Sequence[object] | None:
        """Wait for what it answers, ``None`` if it ended without that."""
        content = bytearray()
        while piece := os.read(self.pipe, _PIECE):
            content += piece
        os.close(self.pipe)
        _, status = os.waitpid(self.pid, 0)
        # What comes is from this very program.
        return pickle.loads(content) if status == 0 else None  # noqa: S301


def _start(function: Callable[[int], object], share: range) -> _Copy | None:
    try:
        here, there = os.pipe()
    except OSError:
        return None
    try:
        pid = os.fork()
    except OSError:
        os.close(here)
        os.close(there)
        return None
    if not pid:  # pragma: no cover - the copy ends with os._exit, unmeasured
        os.close(here)  # or it would wait for itself where nobody else listens
        _answer(function, share, there)
    os.close(there)
    return _Copy(pid, here)


def _answer(  # pragma: no cover - the copy ends with os._exit, unmeasured
    function: Callable[[int], object], share: range, pipe: int
) -> None:
    """Answer a share of the questions; never return."""
    code = 1
    try:
        content = pickle.dumps([function(number) for number in share])
        while content:
            content = content[os.write(pipe, content) :]
        code = 0
    finally:
        os._exit(code)
