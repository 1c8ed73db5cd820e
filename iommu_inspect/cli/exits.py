"""The exit codes, the same for every command."""

from __future__ import annotations

import enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # list needs no rules, and so does not wait for them
    from iommu_inspect.verdict.outcome import Verdict

__all__ = ["Exit", "of_verdict"]


class Exit(enum.IntEnum):
    """What the program returns; 70 means no answer: a bug, or a full disk."""

    OK = 0
    BLOCKED = 1
    USAGE = 2
    CANNOT_TELL = 3
    SOURCE = 4
    INTERNAL = 70


def of_verdict(verdict: Verdict) -> Exit:
    """Return the exit code of a verdict."""
    codes = {"ready": Exit.OK, "blocked": Exit.BLOCKED, "unknown": Exit.CANNOT_TELL}
    return codes[verdict.value]
