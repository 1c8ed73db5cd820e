"""The proof: the steps are taken on the machine, and what comes out is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from iommu_inspect.kernel.answers import OK, UNKNOWN
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import (
    GET_STATUS,
    GROUP_OPERATIONS,
)
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.state import Outcome
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.target import Target, find_target
from iommu_inspect.plan.moves import Move
from iommu_inspect.plan.sequence import forward, undo
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Finding, Severity
from iommu_inspect.verdict.judge import judge
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["Check", "check"]


@dataclass(frozen=True, slots=True)
class Check:
    """What the steps lead to.

    ``outcomes`` are the kernel's answers to the steps, ``verdict`` and ``findings``
    those of ``audit`` after them. ``back`` says whether the undo leads to the state
    that the devices were in.
    """

    outcomes: tuple[Outcome, ...]
    verdict: Verdict
    findings: tuple[Finding, ...]
    back: bool

    @property
    def failed(self) -> Outcome | None:
        """Return the first step that the kernel refuses, ``None`` without one."""
        refused = [o for o in self.outcomes if o.answer.result not in (OK, UNKNOWN)]
        return refused[0] if refused else None

    @property
    def untold(self) -> Outcome | None:
        """Return the first step whose answer cannot be told, ``None`` without one."""
        unknown = [o for o in self.outcomes if o.answer.result == UNKNOWN]
        return unknown[0] if unknown else None


def check(
    machine: Machine,
    semantics: Semantics,
    targets: Sequence[Target],
    moves: Sequence[Move],
    accept: frozenset[str],
) -> Check:
    """Take the plan's steps, audit what comes out, and take the steps back.

    ``machine`` is already as loading the modules leaves it. Errors of the rules in
    ``accept`` are passed over; what the kernel refuses is not.
    """
    there = simulate(machine, semantics, forward(moves))
    verdict, findings = _judge(there.after, semantics, targets, accept)
    after = simulate(there.after, semantics, undo(moves))
    back = all(o.answer.result == OK for o in after.outcomes) and _same(
        machine, after.after, moves
    )
    return Check(there.outcomes, verdict, findings, back)


def _judge(
    after: Machine,
    semantics: Semantics,
    targets: Sequence[Target],
    accept: frozenset[str],
) -> tuple[Verdict, tuple[Finding, ...]]:
    found = tuple(find_target(after, _name(target)) for target in targets)
    inquiry = Inquiry(after, semantics)
    result = judge(Case(inquiry, found))
    if result.verdict is Verdict.READY or not accept:
        return result.verdict, result.findings
    if any(not _says_yes(inquiry, target) for target in found):
        return result.verdict, result.findings
    errors = [f for f in result.findings if f.severity is Severity.ERROR]
    if any(error.rule not in accept for error in errors):
        return result.verdict, result.findings
    return Verdict.READY, result.findings


def _name(target: Target) -> str:
    if target.device is not None:
        return target.device.address
    return f"group:{target.group.id}" if target.group else target.text


def _says_yes(inquiry: Inquiry, target: Target) -> bool:
    if target.group is None:
        return False
    group = target.group
    results = {
        operation: inquiry.operation(group, operation).result
        for operation in GROUP_OPERATIONS
    }
    status = results.pop(GET_STATUS)
    return status == "viable" and set(results.values()) <= {OK, "n/a"}


def _same(before: Machine, after: Machine, moves: Sequence[Move]) -> bool:
    """Say whether the devices that were moved are again what they were."""
    now = {(d.address, d.path): d for d in after.devices}
    for move in moves:
        device = now[move.device.address, move.device.path]
        if device.driver != move.device.driver:
            return False
        # An override that was not told ends cleared.
        had = move.device.driver_override
        if move.changes and device.driver_override != (
            had if isinstance(had, str) else None
        ):
            return False
    settled = [replace(g, devices=()) for g in after.groups]
    return settled == [replace(g, devices=()) for g in before.groups]
