"""The verdict: every rule's findings, and what they come to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from iommu_inspect.kernel.semantics import Semantics
from iommu_inspect.model.address import natural_key
from iommu_inspect.model.expectation import Expectation
from iommu_inspect.model.machine import Device, Machine
from iommu_inspect.model.target import Target
from iommu_inspect.rules._ignoring import Ignore, Ignored, set_aside
from iommu_inspect.rules._kernel_side import Answers, answers, of_host, of_target
from iommu_inspect.rules._summary import Prospect, summary
from iommu_inspect.rules._verdict import Verdict, of_findings, worst
from iommu_inspect.rules.base import Case, Finding, Purpose, Severity
from iommu_inspect.rules.registry import RULES

__all__ = ["Audit", "TargetVerdict", "audit"]

_BY_SEVERITY = list(Severity)


@dataclass(frozen=True, slots=True)
class TargetVerdict:
    """One target's verdict, and the kernel's own answers that it rests on."""

    target: Target
    verdict: Verdict
    answers: Answers


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found; ``verdict`` is the worst of the targets' verdicts.

    Without targets it speaks of the whole host: blocked if something is wrong; then
    ``summary`` says of each group how far it is from being handed over. ``ignored``
    holds what else would be among the findings.
    """

    verdict: Verdict
    targets: tuple[TargetVerdict, ...]
    findings: tuple[Finding, ...]
    purpose: Purpose = Purpose.VFIO
    ignored: tuple[Ignored, ...] = ()
    summary: tuple[Prospect, ...] = ()


def audit(
    machine: Machine,
    semantics: Semantics,
    targets: tuple[Target, ...] = (),
    *,
    purpose: Purpose = Purpose.VFIO,
    strict: bool = False,
    ignores: tuple[Ignore, ...] = (),
    expectations: tuple[Expectation, ...] = (),
) -> Audit:
    """Judge the targets, or the whole host, under the rules of some kernel.

    ``strict`` makes errors of warnings. A target is ready only if the kernel would
    answer yes to every step and no rule has an error: the two must agree, and
    where one of them cannot tell, the verdict is unknown.

    ``ignores`` take findings away. That clears the verdict of a whole host and what
    ``strict`` adds; it never makes a target ready: an error stands in its way whether
    or not somebody wants to read of it.
    """
    case = Case(machine, semantics, targets, purpose, expectations)
    found = sorted((f for rule in RULES for f in rule.run(case)), key=_order)
    kept, ignored = set_aside(found, ignores, machine)
    findings = sorted(map(_strictly, kept), key=_order) if strict else kept
    counted = [*findings, *(ignoring.finding for ignoring in ignored)]
    verdicts = tuple(_judge(case, target, counted) for target in targets)
    overall = worst(verdict.verdict for verdict in verdicts)
    if not targets:
        overall = worst((of_findings(findings), of_host(case)))
    return Audit(
        verdict=overall,
        targets=verdicts,
        findings=tuple(findings),
        purpose=purpose,
        ignored=tuple(ignored),
        summary=() if targets else summary(case, ignores, strict=strict),
    )


def _strictly(finding: Finding) -> Finding:
    if finding.severity is Severity.WARNING:
        return replace(finding, severity=Severity.ERROR)
    return finding


def _order(finding: Finding) -> tuple[object, ...]:
    group = natural_key(finding.group) if finding.group is not None else ()
    return (_BY_SEVERITY.index(finding.severity), group)


def _judge(case: Case, target: Target, findings: Iterable[Finding]) -> TargetVerdict:
    found = answers(case, target)
    by_kernel = of_target(case, target, found)
    by_rules = of_findings(f for f in findings if _concerns(f, target))
    return TargetVerdict(target, worst((by_kernel, by_rules)), found)


def _concerns(finding: Finding, target: Target) -> bool:
    """Say whether a finding speaks of the target, its group, or the whole host."""
    if finding.rule == "not-on-vfio" and finding.devices and target.device is not None:
        return _is_about(finding, target.device)
    if finding.group is not None:
        return target.group is not None and finding.group == target.group.id
    if finding.devices and target.device is not None:
        return _is_about(finding, target.device)
    return not finding.devices


def _is_about(finding: Finding, device: Device) -> bool:
    return finding.devices[0] == device.address
