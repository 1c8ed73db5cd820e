"""How much is done, in calls of functions, which no load of a machine changes.

A test that counts is marked ``no_cover``: what measures coverage would be counted too.
What an expression spends inside itself is no call; for that alone there are seconds.
"""

from __future__ import annotations

import cProfile
import pstats
import time
from collections.abc import Callable

__all__ = ["calls", "seconds"]


def calls(do: Callable[[], object]) -> int:
    """Return how many calls of functions it takes to do something."""
    profile = cProfile.Profile()
    profile.runcall(do)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]


def seconds(do: Callable[[], object], enough: float) -> float:
    """Return the CPU seconds of something, of several tries where one takes too long.

    A busy machine makes a try longer, and never all of them shorter than they are.
    """
    least = float("inf")
    for _ in range(5):
        started = time.process_time()
        do()
        least = min(least, time.process_time() - started)
        if least < enough:
            break
    return least
