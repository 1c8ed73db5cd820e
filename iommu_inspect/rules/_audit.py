"""The verdict: every rule's findings, and what they come to."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from dataclasses import dataclass, replace

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.operations import (
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
    group_operation,
)
from iommu_inspect.kernel.ownership import Role
from iommu_inspect.kernel.semantics import Semantics
from iommu_inspect.model.address import natural_key
from iommu_inspect.model.machine import Device, Machine
from iommu_inspect.model.target import Target
from iommu_inspect.rules.base import Case, Certainty, Finding, Severity
from iommu_inspect.rules.registry import RULES

__all__ = ["Audit", "TargetVerdict", "Verdict", "audit"]

_BY_SEVERITY = list(Severity)
_OPERATIONS = (GET_STATUS, SET_CONTAINER, SET_IOMMU)


class Verdict(enum.Enum):
    """Whether what was asked for can be handed to user space now."""

    READY = "ready"
    BLOCKED = "blocked"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class TargetVerdict:
    """One target's verdict, and the kernel's own answers that it rests on."""

    target: Target
    verdict: Verdict
    answers: tuple[tuple[str, Answer], ...]


@dataclass(frozen=True, slots=True)
class Audit:
    """What an audit found; ``verdict`` is the worst of the targets' verdicts.

    Without targets it speaks of the whole host: blocked if something is wrong.
    """

    verdict: Verdict
    targets: tuple[TargetVerdict, ...]
    findings: tuple[Finding, ...]


def audit(
    machine: Machine,
    semantics: Semantics,
    targets: tuple[Target, ...] = (),
    *,
    strict: bool = False,
) -> Audit:
    """Judge the targets, or the whole host, under the rules of some kernel.

    ``strict`` makes errors of warnings. A target is ready only if the kernel would
    answer yes to every step and no rule has an error: the two must agree, and
    where one of them cannot tell, the verdict is unknown.
    """
    case = Case(machine, semantics, targets)
    findings = [finding for rule in RULES for finding in rule.run(case)]
    if strict:
        findings = [_strictly(finding) for finding in findings]
    findings.sort(key=_order)
    verdicts = tuple(_judge(case, target, findings) for target in targets)
    overall = _worst(v.verdict for v in verdicts)
    if not targets:
        overall = _worst((_of(findings), _of_host(case)))
    return Audit(overall, verdicts, tuple(findings))


def _strictly(finding: Finding) -> Finding:
    if finding.severity is Severity.WARNING:
        return replace(finding, severity=Severity.ERROR)
    return finding


def _order(finding: Finding) -> tuple[object, ...]:
    group = natural_key(finding.group) if finding.group is not None else ()
    return (_BY_SEVERITY.index(finding.severity), group)


def _judge(case: Case, target: Target, findings: Iterable[Finding]) -> TargetVerdict:
    answers = _answers(case, target)
    by_kernel = _worst(_of_answer(answer) for _, answer in answers)
    by_rules = _of(f for f in findings if _concerns(f, target))
    return TargetVerdict(target, _worst((by_kernel, by_rules)), answers)


def _of_host(case: Case) -> Verdict:
    """Ask the kernel about every group that something of is on vfio already."""
    return _worst(
        _of_answer(group_operation(case.machine, group, operation, case.semantics))
        for group in case.groups
        if case.having(group, Role.VFIO)
        for operation in _OPERATIONS
    )


def _answers(case: Case, target: Target) -> tuple[tuple[str, Answer], ...]:
    if target.group is None:
        return ()
    return tuple(
        (
            operation,
            group_operation(case.machine, target.group, operation, case.semantics),
        )
        for operation in _OPERATIONS
    )


def _of_answer(answer: Answer) -> Verdict:
    if answer.result in (OK, "viable"):
        return Verdict.READY
    return Verdict.UNKNOWN if answer.result == UNKNOWN else Verdict.BLOCKED


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


def _of(findings: Iterable[Finding]) -> Verdict:
    errors = [f for f in findings if f.severity is Severity.ERROR]
    if any(error.certainty is not Certainty.UNKNOWN for error in errors):
        return Verdict.BLOCKED
    return Verdict.UNKNOWN if errors else Verdict.READY


def _worst(verdicts: Iterable[Verdict]) -> Verdict:
    seen = set(verdicts)
    for verdict in (Verdict.BLOCKED, Verdict.UNKNOWN):
        if verdict in seen:
            return verdict
    return Verdict.READY
