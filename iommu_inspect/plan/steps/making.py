"""From targets to a plan that was tried on the machine, or to the reasons why not."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.uio import works_through
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.decision.assuming import Condition, assume
from iommu_inspect.plan.decision.attaching import attaching
from iommu_inspect.plan.decision.deciding import decide
from iommu_inspect.plan.decision.moves import (
    NOT_TOLD,
    Decision,
    Move,
    Refusal,
    of_finding,
)
from iommu_inspect.plan.decision.refusals import may_hold_more, of_targets
from iommu_inspect.plan.decision.supposed import unsure_of_neighbours
from iommu_inspect.plan.steps.acts import AllowUnsafe, Load, PlanStep
from iommu_inspect.plan.steps.checking import Check, check
from iommu_inspect.plan.steps.loading import needs_unsafe, to_load
from iommu_inspect.plan.steps.sequence import steps_back, steps_there
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Finding, Purpose, Severity
from iommu_inspect.verdict.judge import findings_of, judge
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["ACCEPTABLE", "Outcome", "Plan", "make_plan", "plan_for"]

# Rules whose errors --accept may pass over: the kernel refuses nothing for the first,
# and has a switch for the second.
ACCEPTABLE = ("host-loss", "interrupt-remapping")

_OF_MEMBERS = ("singleton-assumption", "sriov-mix", "mixed-ownership", "not-on-vfio")


class Outcome(enum.Enum):
    """Whether there is a plan; ``UNKNOWN`` has steps where ``conditions`` are named."""

    PLANNED = "planned"
    REFUSED = "refused"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Plan:
    """What has to be done, as far as it goes; without refusals it was proven.

    ``machine`` is the state that the plan is about; where ``conditions`` are named, it
    is the one that they suppose. ``there`` are the steps, ``back`` those of the undo.
    ``warnings`` are the findings that remain after the plan.
    """

    machine: Machine
    targets: tuple[Target, ...]
    moves: tuple[Move, ...]
    refusals: tuple[Refusal, ...]
    check: Check | None
    there: tuple[PlanStep, ...]
    back: tuple[PlanStep, ...]
    warnings: tuple[Finding, ...]
    conditions: tuple[Condition, ...] = ()
    purpose: Purpose = Purpose.VFIO

    @property
    def outcome(self) -> Outcome:
        """Refused for one certain reason; unknown for reasons that are not."""
        if not self.refusals:
            return Outcome.UNKNOWN if self.conditions else Outcome.PLANNED
        certain = any(refusal.certain for refusal in self.refusals)
        return Outcome.REFUSED if certain else Outcome.UNKNOWN

    @property
    def has_steps(self) -> bool:
        """Say whether there are steps to print, conditional ones among them."""
        return not self.refusals

    @property
    def nothing_to_do(self) -> bool:
        """Say whether the targets are ready as they are."""
        return not self.there

    @property
    def is_told(self) -> bool:
        """Say whether all that decides is told, or nothing can be supposed for it.

        That is so of what asks nothing of a group: iommu_attach_device() has its
        answer, and DPDK works through drivers of the kernel.
        """
        if self.purpose is Purpose.ATTACH:
            return True
        devices = [d for target in self.targets for d in target.devices]
        return self.purpose is Purpose.DPDK and all(
            works_through(device) is not None for device in devices
        )

    @property
    def load(self) -> tuple[str, ...]:
        """The modules that have to be there first."""
        return tuple(step.module for step in self.there if isinstance(step, Load))

    @property
    def unsafe(self) -> bool:
        """Say whether interrupts that are not remapped are to be allowed."""
        return any(isinstance(step, AllowUnsafe) for step in self.there)


def make_plan(
    machine: Machine,
    semantics: Semantics,
    targets: Sequence[Target],
    accept: frozenset[str] = frozenset(),
    purpose: Purpose = Purpose.VFIO,
) -> Plan:
    """Decide what moves, try it on the machine, and say why not where it fails.

    ``accept`` names rules of ``ACCEPTABLE`` whose errors do not stand in the way.
    Where facts are missing that would decide, the plan supposes them and names the
    conditions under which it holds.
    """
    inquiry = Inquiry(machine, semantics)
    return plan_for(Case(inquiry, tuple(targets), purpose), accept)


def plan_for(case: Case, accept: frozenset[str] = frozenset()) -> Plan:
    """Make the plan for a case's targets, as ``make_plan``.

    What was found out about the machine before is not asked again.
    """
    machine, targets = case.machine, case.targets
    if case.expectations:
        case = replace(case, expectations=())
    told = _planned(case, accept)
    if any(refusal.certain for refusal in told.refusals) or told.is_told:
        return told
    supposed = assume(machine, targets)
    if not supposed.conditions:
        return told
    inquiry = Inquiry(supposed.machine, case.semantics)
    plan = _planned(Case(inquiry, tuple(supposed.targets), case.purpose), accept)
    if told.nothing_to_do and not told.refusals:
        return told
    if plan.refusals:
        unsure = unsure_of_neighbours(plan.moves, plan.refusals)
        if unsure is not None:
            return replace(plan, refusals=unsure)
        certain = tuple(_certain(plan.refusals, targets, supposed.targets))
        if not certain:
            # What is told suffices; who has to be looked at first stays so.
            untouched = told.refusals or told.nothing_to_do
            return told if untouched else replace(told, conditions=supposed.conditions)
        return replace(plan, refusals=tuple(dict.fromkeys(certain + told.refusals)))
    return replace(plan, conditions=supposed.conditions)


def _certain(
    refusals: Iterable[Refusal], told: Iterable[Target], supposed: Iterable[Target]
) -> Iterator[Refusal]:
    """Yield what is certain although something was supposed.

    What is so under the most favourable facts is. But that of a group's members, or of
    drivers of the host, is not where these were supposed.
    """
    short = any(target.group is None or not target.group.whole for target in told)
    groups = [target.group for target in supposed if target.group is not None]
    guessed = any(d.driver == NOT_TOLD for group in groups for d in group.devices)
    for refusal in refusals:
        of_members = refusal.rule in _OF_MEMBERS and (short or guessed)
        if refusal.certain and not of_members:
            yield refusal


def _planned(case: Case, accept: frozenset[str]) -> Plan:
    """Make the plan of what is told."""
    machine, targets = case.machine, case.targets
    if case.purpose is Purpose.ATTACH:
        return _of_attach(case)
    decided = decide(case, accept)
    moves, refused = decided.moves, [*of_targets(targets), *decided.refusals]
    if all(m.decision is not Decision.MOVES for m in moves) and _is_ready(case):
        moves, refused = _as_they_are(moves), []
    unsafe = needs_unsafe(machine, accept)
    there = steps_there(moves, to_load(case, moves), unsafe=unsafe)
    back = steps_back(moves, unsafe=unsafe)
    refusals = [*_without_group(case), *refused]
    checked: Check | None = None
    if not refusals:
        checked = check(case, there, back, accept)
        sure = not any(map(may_hold_more, targets))
        refusals += [
            r if sure else replace(r, certain=False) for r in _failures(checked, accept)
        ]
    warnings = [
        f
        for f in (checked.findings if checked else ())
        if f.severity is Severity.WARNING
        or (f.severity is Severity.ERROR and f.rule in accept)
    ]
    return Plan(
        machine,
        targets,
        moves,
        tuple(dict.fromkeys(refusals)),
        checked,
        there,
        back,
        tuple(warnings),
        purpose=case.purpose,
    )


def _is_ready(case: Case) -> bool:
    return bool(case.targets) and judge(case).verdict is Verdict.READY


def _as_they_are(moves: Sequence[Move]) -> tuple[Move, ...]:
    """Leave alone what is ready: nothing that would only be safer is a step."""
    why = "no driver; before v5.19 the host dies if one binds while the group is in use"
    return tuple(
        replace(m, decision=Decision.STAYS, why=why, costs=())
        if m.decision is Decision.RELEASED
        else m
        for m in moves
    )


def _of_attach(case: Case) -> Plan:
    moves, refusals, checked = attaching(case)
    return Plan(
        machine=case.machine,
        targets=case.targets,
        moves=moves,
        refusals=refusals,
        check=None if refusals else checked,
        there=(),
        back=(),
        warnings=tuple(f for f in checked.findings if f.severity is Severity.WARNING),
        purpose=case.purpose,
    )


def _without_group(case: Case) -> Iterable[Refusal]:
    """Ask the rules why there is no group to hand over."""
    if all(target.group is not None for target in case.targets):
        return
    for finding in findings_of(case):
        why = finding.rule in ("no-iommu", "xen-dom0")
        if why and finding.severity is Severity.ERROR:
            yield of_finding(finding)


def _failures(checked: Check, accept: frozenset[str]) -> Iterable[Refusal]:
    """Say why the plan does not lead to ``ready``; silence means that it does."""
    for step, certain in ((checked.failed, True), (checked.untold, False)):
        if step is not None:
            answer = step.answer
            yield Refusal(
                answer.rule,
                certain,
                f"The step {step.step.text} fails: {answer.result}, {answer.because}."
                if certain
                else f"Whether the step {step.step.text} works cannot be told: "
                f"{answer.because}.",
            )
            return
    if checked.verdict is Verdict.READY:
        if not checked.back:
            yield Refusal(
                "not-on-vfio",
                False,
                "The steps back would not lead to the state of now.",
            )
        return
    errors = [
        of_finding(f)
        for f in checked.findings
        if f.severity is Severity.ERROR and f.rule not in accept
    ]
    yield from errors or [
        Refusal(
            "mixed-ownership",
            checked.verdict is Verdict.BLOCKED,
            "After the steps the kernel would still not hand the group over: see "
            "'iommu-inspect whatif' with the same steps.",
        )
    ]
