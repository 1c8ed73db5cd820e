"""What ``audit --baseline`` says of the earlier audit."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from iommu_inspect.audit.auditing import Audit, Since
from iommu_inspect.audit.known import Known
from iommu_inspect.model.text import listed, printable
from iommu_inspect.render.layout import Style
from iommu_inspect.render.text import fold
from iommu_inspect.rules.finding import Certainty, Finding, Severity
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["new_sentence", "since_lines"]

_MOST_GONE = 4


def since_lines(since: Since, style: Style) -> list[str]:
    """Say how many findings are left out, and which are not found any more."""
    lines = []
    if since.known:
        rules = Counter(finding.rule for finding in since.known)
        named = ", ".join(_times(rule, count) for rule, count in rules.items())
        lines.append(f"({len(since.known)} known from the baseline: {named})")
    gone = [each for each in since.gone if each.severity is not Severity.INFO]
    if gone:
        words = [_named(each) for each in gone[:_MOST_GONE]]
        if len(gone) > _MOST_GONE:
            words.append(f"{len(gone) - _MOST_GONE} more")
        lines.append(f"({len(gone)} of the baseline not found now: {listed(words)})")
    return [fold(line, style.width) for line in lines]


def _times(rule: str, count: int) -> str:
    return rule if count == 1 else f"{rule} ({count})"


def _named(known: Known) -> str:
    return " ".join([known.rule, *(str(each) for each in known.devices[:1])])


def new_sentence(result: Audit) -> str:
    """Say what is new; empty where a host's own sentence says why it is unknown."""
    since = result.since
    if since is None:
        return ""
    name = f"since {printable(since.name)}"
    counts = [
        (_count(result.findings, Severity.ERROR, unknown=False), "error"),
        (_count(result.findings, Severity.ERROR, unknown=True), "open question"),
        (_count(result.findings, Severity.WARNING), "warning"),
    ]
    words = [f"{n} {noun}{'' if n == 1 else 's'}" for n, noun in counts if n]
    if words:
        return f"New {name}: {listed(words)}."
    if since.verdict is Verdict.READY:
        return f"Nothing is new {name}."
    if result.targets:
        return f"No finding is new {name}, but the verdict is."
    return ""


def _count(
    findings: Iterable[Finding], severity: Severity, *, unknown: bool | None = None
) -> int:
    return sum(
        f.severity is severity and unknown in (None, f.certainty is Certainty.UNKNOWN)
        for f in findings
    )
