"""The three verdicts, and how several become one."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["Verdict", "of_answer", "of_findings", "worst"]


class Verdict(enum.Enum):
    """Whether what was asked for can be handed over now."""

    READY = "ready"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


def of_answer(answer: Answer) -> Verdict:
    """Return what one answer of the kernel comes to."""
    if answer.result in (OK, "viable"):
        return Verdict.READY
    return Verdict.UNKNOWN if answer.result == UNKNOWN else Verdict.BLOCKED


def of_findings(findings: Iterable[Finding]) -> Verdict:
    """Return what findings come to: only errors count."""
    errors = [f for f in findings if f.severity is Severity.ERROR]
    if any(error.certainty is not Certainty.UNKNOWN for error in errors):
        return Verdict.BLOCKED
    return Verdict.UNKNOWN if errors else Verdict.READY


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the worst of them: blocked, then unknown, then ready."""
    seen = set(verdicts)
    for verdict in (Verdict.BLOCKED, Verdict.UNKNOWN):
        if verdict in seen:
            return verdict
    return Verdict.READY
