"""How much is done, in calls of functions, which no load of a machine changes.

A test that counts is marked ``no_cover``: what measures coverage would be counted too.
"""

from __future__ import annotations

import cProfile
import pstats
from collections.abc import Callable

__all__ = ["calls"]


def calls(do: Callable[[], object]) -> int:
    """Return how many calls of functions it takes to do something."""
    profile = cProfile.Profile()
    profile.runcall(do)
    return int(pstats.Stats(profile).total_calls)  # type: ignore[attr-defined]
