"""An audit as one line for Nagios, Icinga, Naemon and others that run its plugins.

The line and the exit codes are those of the Monitoring Plugins Development Guidelines:
a state, what there is to say, and after a bar numbers of which graphs are drawn.
"""

from __future__ import annotations

import enum

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.tally import Tally
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.text import printable
from iommu_inspect.render.audits.verdict import sentence
from iommu_inspect.rules.finding import Certainty, Finding, Severity
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["State", "nagios_line", "state_of", "unknown_line"]

_NAME = "IOMMU"
# NRPE took 1,024 bytes for long, and a pager shows less.
_MOST_WORDS = 400


class State(enum.IntEnum):
    """A plugin's states, which are its exit codes."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def state_of(result: Audit) -> State:
    """Return the state of a service that such an audit is the check of.

    With a baseline it is that of what is new, as the exit code of ``audit`` is.
    """
    verdict = result.since.verdict if result.since is not None else result.verdict
    if verdict is Verdict.BLOCKED:
        return State.CRITICAL
    if verdict is Verdict.UNKNOWN:
        return State.UNKNOWN
    warned = any(f.severity is Severity.WARNING for f in result.findings)
    return State.WARNING if warned else State.OK


def nagios_line(tally: Tally) -> str:
    """Return the line: state, the audit's sentence, the first reason, and numbers."""
    result = tally.result
    state = state_of(result)
    words = sentence(result)
    first = next((f for f in result.findings if _explains(f, state)), None)
    if first is not None:
        words = f"{words} {first.rule}: {first.message}"
    return f"{_line(state, words)} | {' '.join(_numbers(tally))}"


def unknown_line(message: str) -> str:
    """Return the line of a check that could not be made."""
    return _line(State.UNKNOWN, message)


def _line(state: State, words: str) -> str:
    """Write the words without what means something: the bar, and ends of lines."""
    said = " ".join(printable(" ".join(words.split())).replace("|", "/").split())
    if len(said) > _MOST_WORDS:
        said = f"{said[: _MOST_WORDS - 3]}..."
    return f"{_NAME} {state.name} - {said}"


def _explains(finding: Finding, state: State) -> bool:
    if state is State.WARNING:
        return finding.severity is Severity.WARNING
    if state is State.OK or finding.severity is not Severity.ERROR:
        return False
    is_unknown = finding.certainty is Certainty.UNKNOWN
    return is_unknown is (state is State.UNKNOWN)


def _numbers(tally: Tally) -> list[str]:
    """Return the numbers: what there is at least, and none where it is not known."""
    found = tally.findings
    errors = found[Severity.ERROR, Certainty.KERNEL]
    errors += found[Severity.ERROR, Certainty.DERIVED]
    counts: dict[str, int] = {
        "errors": errors,
        "untold": found[Severity.ERROR, Certainty.UNKNOWN],
        "warnings": sum(found[Severity.WARNING, each] for each in Certainty),
        "ignored": len(tally.result.ignored),
    }
    if tally.ownership is not None:
        counts["groups"] = sum(tally.ownership.values())
        counts["user_groups"] = tally.ownership[Ownership.USER]
        counts["conflicts"] = tally.ownership[Ownership.CONFLICT]
    return [f"{name}={count};;;0" for name, count in counts.items()]
