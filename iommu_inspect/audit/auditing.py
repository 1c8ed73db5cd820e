"""The verdict about targets or a host, with what somebody decided to live with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import field, replace

from iommu_inspect.audit.advice import Advice
from iommu_inspect.audit.exceptions import Ignore, Ignored, set_aside
from iommu_inspect.audit.known import Known
from iommu_inspect.audit.summary import Prospect, Spread, in_turn, summary
from iommu_inspect.audit.told_once import Told, told_once
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.asked.expectation import Expectation
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Finding, Purpose, Severity
from iommu_inspect.verdict.judge import (
    TargetVerdict,
    by_severity,
    findings_of,
    overall,
    verdicts,
)
from iommu_inspect.verdict.outcome import Verdict
from iommu_inspect.verdict.unseen import Unseen, unseen

__all__ = ["Audit", "Since", "audit", "audit_of"]


@dataclass(frozen=True, slots=True)
class Since:
    """What an earlier audit makes of this one (`audit/baseline.py`).

    ``verdict`` is what the new findings come to, and what else is worse than it was.
    ``known`` are findings that are left out, ``gone`` those that only the earlier audit
    had. ``name`` is what the earlier one was read from.
    """

    name: str
    verdict: Verdict
    known: tuple[Finding, ...] = ()
    gone: tuple[Known, ...] = ()


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found; ``verdict`` is the worst of the targets' verdicts.

    Without targets it speaks of the whole host: blocked if something is wrong; then
    ``summary`` says of each group how far it is from being handed over. ``ignored``
    holds what else would be among the findings. ``advice`` is what to do now.
    ``told`` is the findings as a person reads them, the same said once; ``unseen`` what
    the source does not show of a whole host. With ``since`` the findings are those that
    an earlier audit had not.
    """

    verdict: Verdict
    targets: tuple[TargetVerdict, ...]
    findings: tuple[Finding, ...]
    purpose: Purpose = Purpose.VFIO
    ignored: tuple[Ignored, ...] = ()
    summary: tuple[Prospect, ...] = ()
    advice: Advice = field(default_factory=lambda: Advice(None))
    told: tuple[Told, ...] = ()
    unseen: tuple[Unseen, ...] = ()
    since: Since | None = None


def audit(
    machine: Machine,
    semantics: Semantics,
    targets: tuple[Target, ...] = (),
    *,
    purpose: Purpose = Purpose.VFIO,
    strict: bool = False,
    ignores: tuple[Ignore, ...] = (),
    expectations: tuple[Expectation, ...] = (),
    spread: Spread = in_turn,
) -> Audit:
    """Judge the targets, or the whole host, under the rules of some kernel.

    ``strict`` makes errors of warnings. ``ignores`` take findings away. That clears
    the verdict of a whole host and what ``strict`` adds; it never makes a target
    ready: an error stands in its way whether or not somebody wants to read of it.
    ``spread`` is what judges the many groups of a host one by one.
    """
    case = Case(Inquiry(machine, semantics), targets, purpose, expectations)
    return audit_of(case, strict=strict, ignores=ignores, spread=spread)


def audit_of(
    case: Case,
    *,
    strict: bool = False,
    ignores: tuple[Ignore, ...] = (),
    spread: Spread = in_turn,
) -> Audit:
    """Audit a case, as ``audit``; what was found out before is not asked again."""
    machine, targets = case.machine, case.targets
    kept, ignored = set_aside(findings_of(case), ignores, machine)
    findings = by_severity(map(_strictly, kept)) if strict else tuple(kept)
    judged = verdicts(case, [*findings, *(each.finding for each in ignored)])
    verdict = overall(case, judged, findings)
    every = [*findings, *(each.finding for each in ignored)]
    prospects: tuple[Prospect, ...] = ()
    if not targets:
        prospects = summary(case, ignores, strict=strict, spread=spread)
    return Audit(
        verdict=verdict,
        targets=judged,
        findings=findings,
        purpose=case.purpose,
        ignored=tuple(ignored),
        summary=prospects,
        advice=_advice(case, verdict, every if targets else findings),
        told=told_once(findings, machine),
        unseen=unseen(case),
    )


def _advice(case: Case, verdict: Verdict, findings: Sequence[Finding]) -> Advice:
    """Find the advice, without the plan's rooms where there is nothing to advise."""
    if not case.targets and all(f.severity is not Severity.ERROR for f in findings):
        return Advice(None)
    from iommu_inspect.audit.advising import advise, advise_host

    if case.targets:
        return advise(case, verdict, findings)
    return advise_host(case, findings)


def _strictly(finding: Finding) -> Finding:
    if finding.severity is Severity.WARNING:
        return replace(finding, severity=Severity.ERROR)
    return finding
