"""The proof: the steps are taken on the machine, and what comes out is judged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iommu_inspect.kernel.answers import OK, UNKNOWN
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import (
    GET_STATUS,
    GROUP_OPERATIONS,
)
from iommu_inspect.kernel.steps.simulate import Simulation, simulate
from iommu_inspect.kernel.steps.state import Outcome
from iommu_inspect.kernel.steps.step import Override, Probe, Rebind, Step, Unbind
from iommu_inspect.model.asked.target import Target, same_target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.steps import acts
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Finding, Severity
from iommu_inspect.verdict.judge import judge
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["Check", "check", "take"]


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
    case: Case,
    there: Sequence[acts.PlanStep],
    back: Sequence[acts.PlanStep],
    accept: frozenset[str],
) -> Check:
    """Take the plan's steps for a case, audit what comes out, and take them back.

    Errors of the rules in ``accept`` are passed over; what the kernel refuses is not.
    """
    machine, semantics = case.machine, case.semantics
    done = take(machine, semantics, there)
    verdict, findings = _judge(done.after, case, accept)
    undone = take(done.after, semantics, back)
    leads_back = all(o.answer.result == OK for o in undone.outcomes) and _same(
        machine, undone.after
    )
    return Check(done.outcomes, verdict, findings, leads_back)


def take(
    machine: Machine, semantics: Semantics, steps: Sequence[acts.PlanStep]
) -> Simulation:
    """Take steps in their order.

    What is done to vfio's modules changes nothing for the steps on devices, and no
    answer of the kernel to it is foretold: it is supposed to work.
    """
    vfio = machine.vfio
    taken: list[Step] = []
    for step in steps:
        match step:
            case acts.Load("vfio_iommu_type1"):
                vfio = replace(vfio, type1_loaded=True)
            case acts.Load():
                pass
            case acts.AllowUnsafe(allowed):
                vfio = replace(vfio, type1_allow_unsafe_interrupts=allowed)
            case _:
                taken.append(_simulated(step))
    return simulate(replace(machine, vfio=vfio), semantics, taken)


def _simulated(
    step: acts.SetOverride | acts.TakeOff | acts.Probe | acts.Rebind,
) -> Step:
    """Return a step as ``whatif`` takes it; to bind, nothing else is written."""
    name = step.device.address
    match step:
        case acts.SetOverride(_, driver):
            text = ",".join(filter(None, (f"override={name}", driver)))
            return Override(text, name, driver or None)
        case acts.TakeOff():
            return Unbind(f"unbind={name}", name)
        case acts.Probe(_, driver):
            return Probe(f"probe={name}", name, driver)
        case acts.Rebind(_, driver):
            return Rebind(f"rebind={name},{driver}", name, driver)


def _judge(
    after: Machine, case: Case, accept: frozenset[str]
) -> tuple[Verdict, tuple[Finding, ...]]:
    found = tuple(same_target(after, target) for target in case.targets)
    inquiry = Inquiry(after, case.semantics)
    result = judge(Case(inquiry, found, case.purpose))
    if result.verdict is Verdict.READY or not accept:
        return result.verdict, result.findings
    if any(not _says_yes(inquiry, target) for target in found):
        return result.verdict, result.findings
    errors = [f for f in result.findings if f.severity is Severity.ERROR]
    if any(error.rule not in accept for error in errors):
        return result.verdict, result.findings
    return Verdict.READY, result.findings


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


def _same(before: Machine, after: Machine) -> bool:
    """Say whether all is again what it was, except for modules that are loaded."""
    now = {device.id: device for device in after.devices}
    if {device.id for device in before.devices} != now.keys():
        return False
    for old in before.devices:
        new, had = now[old.id], old.driver_override
        # An override that was not told ends cleared.
        override = had if isinstance(had, str) else None
        if new is not old and (new.driver, new.driver_override) != (
            old.driver,
            override,
        ):
            return False
    return _unsafe(before) == _unsafe(after) and _grouped(after) == _grouped(before)


def _grouped(machine: Machine) -> list[tuple[Group, tuple[DeviceId, ...]]]:
    return [
        (replace(g, devices=()), tuple(d.id for d in g.devices)) for g in machine.groups
    ]


def _unsafe(machine: Machine) -> bool:
    return machine.vfio.type1_allow_unsafe_interrupts is True
