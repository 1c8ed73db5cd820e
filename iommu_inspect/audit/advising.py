"""Finds the one advice of an audit: the plan's steps, or why there are none."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from iommu_inspect.audit.advice import Advice, Look, Mending
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.plan.decision.moves import Decision, Refusal, of_finding
from iommu_inspect.plan.host.again import plan_command
from iommu_inspect.plan.host.cures import cure_lines, fitting_lines
from iommu_inspect.plan.steps.making import Outcome, Plan, plan_for
from iommu_inspect.plan.writing import Written, written
from iommu_inspect.rules import _cures as cures
from iommu_inspect.rules._cures import ByAddress, Cure, ProbeAgain
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["advise", "advise_host"]

_MOST_MENDED = 3
# Each is a plan that is made and tried.
_MOST_TRIED = 12
_MOST_ASKED = 4


def advise(case: Case, verdict: Verdict, findings: Sequence[Finding]) -> Advice:
    """Say what makes the case's targets ready, by a plan that was tried."""
    if verdict is Verdict.READY:
        return Advice(Decision.STAYS)
    plan = plan_for(case)
    words = written(plan, case.semantics)
    if plan.has_steps and plan.there:
        return Advice(
            Decision.MOVES,
            words.there,
            looks=tuple(
                Look(commands, condition.supposed, condition.otherwise)
                for condition, commands in zip(
                    plan.conditions, words.checks, strict=True
                )
            ),
            whole=_plan_command(case, dict.fromkeys(t.text for t in case.targets)),
            plan=plan,
            words=words,
        )
    return _none(case, plan, words, findings)


def _none(
    case: Case, plan: Plan, words: Written, findings: Sequence[Finding]
) -> Advice:
    """Say why there are no steps: the plan's reasons, certain ones first."""
    refusals = sorted(plan.refusals, key=lambda refusal: not refusal.certain)
    if not refusals:
        refusals = [of_finding(f) for f in findings if f.severity is Severity.ERROR]
    decisions = {move.decision for move in plan.moves if move.refusal is not None}
    decision = Decision.NEVER if Decision.NEVER in decisions else Decision.STAYS
    if refusals and not refusals[0].certain:
        decision = Decision.UNTOLD
    first = refusals[:1]
    because = " ".join(
        filter(None, (part for r in first for part in (r.message, r.remedy)))
    )
    if words.elsewhere and any(refusal.elsewhere for refusal in first):
        because = f"{because} {words.elsewhere}"
    lines = tuple(line for r in first for line in fitting_lines(r.cures, plan.moves))
    harmless = all(isinstance(cure, cures.Look) for r in first for cure in r.cures)
    looks = (Look(lines, "", harmless=harmless),) if lines else ()
    return Advice(
        decision,
        because=because.strip(),
        looks=looks,
        then=_then(case, refusals[:1]),
        plan=plan,
        words=words,
    )


def _then(case: Case, refusals: Sequence[Refusal]) -> str:
    """Return the command that asks for the neighbours as well, if that is the way."""
    asks = [device.name for refusal in refusals for device in refusal.asks]
    if not asks or len(asks) > _MOST_ASKED:
        return ""
    return _plan_command(case, [*(t.text for t in case.targets), *asks])


def advise_host(case: Case, findings: Iterable[Finding]) -> Advice:
    """Say how what is wrong on a host can be mended, the worst first."""
    errors = [f for f in findings if f.severity is Severity.ERROR]
    mending: dict[tuple[str, tuple[str, ...]], Mending] = {}
    for finding in errors[:_MOST_TRIED]:
        for each in _mended(case, finding):
            # Two rules may say the same, and it is said once.
            mending.setdefault((each.prose, each.lines), each)
        if len(mending) >= _MOST_MENDED:
            break
    found = tuple(mending.values())[:_MOST_MENDED]
    steps = tuple(line for each in found for line in each.lines)
    because = "" if steps or not found else found[0].prose
    return Advice(None, steps, because, mending=found)


def _mended(case: Case, finding: Finding) -> Iterator[Mending]:
    group = case.machine.group(finding.group) if finding.group is not None else None
    members = _on_vfio(case, group)
    if not members or finding.certainty is Certainty.UNKNOWN:
        prose, *lines = finding.remedy.split("\n")
        some = finding.cures[:_MOST_TRIED]
        lines += [line for cure in some for line in _cured(case, cure)]
        yield Mending(finding.rule, prose, tuple(dict.fromkeys(lines)))
        return
    targets = tuple(Target(d.address, d, group) for d in members)
    plan = plan_for(replace(case, targets=targets))
    if plan.refusals:
        refusal = min(plan.refusals, key=lambda each: not each.certain)
        yield Mending(finding.rule, f"{refusal.message} {refusal.remedy}".strip())
        return
    names = [d.address for d in members]
    prose = f"To go on with {', '.join(names)}:"
    # What is supposed, and what goes with a driver, is said where all is.
    if plan.conditions or any(move.costs for move in plan.moves if move.changes):
        yield Mending(finding.rule, prose, (_plan_command(case, names),))
        return
    yield Mending(finding.rule, prose, written(plan, case.semantics).there)


def _cured(case: Case, cure: Cure) -> tuple[str, ...]:
    """Write a cure; one that moves a device only where its plan is sure.

    Else the plan says what there is to be said first.
    """
    if not isinstance(cure, ByAddress | ProbeAgain):
        return cure_lines(cure)
    device = case.machine.device(cure.device)
    if device is None:
        return ()
    target = Target(device.address, device, case.machine.group_of(device))
    plan = plan_for(replace(case, targets=(target,)))
    if plan.outcome is Outcome.PLANNED:
        return fitting_lines((cure,), plan.moves)
    return (_plan_command(case, [device.address]),)


def _plan_command(case: Case, names: Iterable[str]) -> str:
    """Return the command that has all of a plan, for what the case is about."""
    return plan_command(case.machine, case.purpose, names)


def _on_vfio(case: Case, group: Group | None) -> list[Device]:
    if group is None:
        return []
    return [d for d in case.having(group, Role.VFIO) if d.is_pci]
