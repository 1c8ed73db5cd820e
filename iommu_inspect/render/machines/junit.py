"""An audit as a report of tests in JUnit's XML, as CI systems show them.

There is no standard for it; what is written here is what the readers of Jenkins, GitLab
and GitHub's actions have in common: ``testsuites``, one ``testsuite`` with its counts
and properties, ``testcase``, and in it ``failure``, ``error`` or ``skipped``.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from iommu_inspect.audit.tally import Tally
from iommu_inspect.model.fact import value_or
from iommu_inspect.render.escapes.html import attribute, text
from iommu_inspect.render.machines.cases import Case, Outcome, cases_of
from iommu_inspect.rules.finding import Finding, Severity

__all__ = ["junit_text"]

_SUITE = "iommu-inspect audit"
_CLASS = "iommu-inspect.audit"


def junit_text(tally: Tally, *, version: str, notes: bool = False) -> str:
    """Return the report: a case for each target, or for the host and each group.

    What is said of each leaves ``notes`` (severity info) out unless asked for.
    """
    cases = cases_of(tally)
    counts = Counter(case.outcome for case in cases)
    numbers = (
        f'tests="{len(cases)}" failures="{counts[Outcome.FAILED]}" '
        f'errors="{counts[Outcome.UNTOLD]}" skipped="{counts[Outcome.SKIPPED]}"'
    )
    suites = numbers.rpartition(" ")[0]
    return "\n".join(
        [
            '<?xml version="1.0" encoding="UTF-8"?>',
            f"<testsuites name={attribute(_SUITE)} {suites}>",
            f'  <testsuite name={attribute(_SUITE)} {numbers} time="0">',
            *_properties(tally, version),
            *(line for case in cases for line in _case(case, notes=notes)),
            "  </testsuite>",
            "</testsuites>",
        ]
    )


def _properties(tally: Tally, version: str) -> Iterator[str]:
    about = {
        "version": version,
        "source": tally.machine.source.name,
        "kernel": value_or(tally.machine.kernel.release, ""),
        "rules": tally.semantics.label,
        "purpose": tally.result.purpose.value,
        "verdict": tally.result.verdict.value,
    }
    yield "    <properties>"
    for name, value in about.items():
        yield f"      <property name={attribute(name)} value={attribute(value)}/>"
    yield "    </properties>"


def _case(case: Case, *, notes: bool) -> Iterator[str]:
    head = f'<testcase classname="{_CLASS}" name={attribute(case.name)} time="0"'
    shown = [f for f in case.findings if notes or f.severity is not Severity.INFO]
    said = [line for finding in shown for line in _said(finding)]
    said += case.more
    if case.outcome is Outcome.PASSED and not said:
        yield f"    {head}/>"
        return
    yield f"    {head}>"
    if case.outcome is Outcome.SKIPPED:
        yield f"      <skipped message={attribute(case.why)}/>"
    elif case.outcome is not Outcome.PASSED:
        name = case.outcome.value
        kind = "blocked" if case.outcome is Outcome.FAILED else "unknown"
        head = f'<{name} type="{kind}" message={attribute(case.why)}>'
        yield f"      {head}{_lines(said)}</{name}>"
        said = []
    if said:
        yield f"      <system-out>{_lines(said)}</system-out>"
    yield "    </testcase>"


def _said(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity.value}: {finding.rule}: {finding.message}"
    yield from (f"  {line}" for line in finding.remedy.split("\n"))


def _lines(lines: list[str]) -> str:
    return "\n".join(map(text, lines))
