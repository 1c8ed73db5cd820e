"""What the kernel would answer to steps that nobody has taken, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iommu_inspect.kernel.answers import (
    HOST_CRASH,
    NOT_APPLICABLE,
    OK,
    UNKNOWN,
    Answer,
    differing,
)
from iommu_inspect.kernel.citations import SINGLETON
from iommu_inspect.kernel.eras import ERAS, Era, Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.steps.claiming import claim, release
from iommu_inspect.kernel.steps.domain_type import set_type
from iommu_inspect.kernel.steps.drivers import bind, override, probe, rebind, unbind
from iommu_inspect.kernel.steps.ids import new_id, removed_id
from iommu_inspect.kernel.steps.modules import load, set_parameter, unload
from iommu_inspect.kernel.steps.newcomers import hotplug, unplug
from iommu_inspect.kernel.steps.state import (
    Outcome,
    Taken,
    device_of,
    done,
    only,
    with_group,
)
from iommu_inspect.kernel.steps.step import (
    Attach,
    Bind,
    Claim,
    Detach,
    Hotplug,
    Load,
    NewId,
    Override,
    Probe,
    Rebind,
    Release,
    RemoveId,
    SetParameter,
    SetType,
    Sriov,
    Step,
    Unbind,
    Unload,
    Unplug,
)
from iommu_inspect.kernel.steps.virtual_functions import sriov
from iommu_inspect.model.asked.target import UnknownTargetError
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.group import Held
from iommu_inspect.model.machine import Machine

__all__ = ["Simulation", "simulate"]


@dataclass(frozen=True, slots=True)
class Simulation:
    """The steps' outcomes and the machine after them; ``alive`` unless it crashed.

    ``certain`` is false where an answer was unknown: the state after it is then the
    one in which the step did nothing.
    """

    outcomes: tuple[Outcome, ...]
    after: Machine
    alive: bool
    certain: bool


def simulate(
    machine: Machine, semantics: Semantics, steps: Sequence[Step]
) -> Simulation:
    """Take the steps in order, under the rules that may apply.

    Where the possible kernels answer a step differently the answer is unknown, and
    the state goes on from the newest kernel's.

    Raises:
        UnknownTargetError: a step names a device or group that was never there.
    """
    runs = [_simulate(machine, era, steps) for era in semantics.eras]
    newest = runs[-1]
    outcomes = []
    for found in zip(*(run.outcomes for run in runs), strict=True):
        results = {outcome.answer.result for outcome in found}
        outcome = found[-1]
        if len(results) > 1:
            because = differing(semantics.eras, [o.answer for o in found])
            outcome = replace(
                outcome, answer=replace(outcome.answer, result=UNKNOWN, because=because)
            )
        outcomes.append(outcome)
    return Simulation(
        tuple(outcomes),
        newest.after,
        all(run.alive for run in runs),
        all(run.certain for run in runs)
        and all(o.answer.result != UNKNOWN for o in outcomes),
    )


def _simulate(machine: Machine, era: Era, steps: Sequence[Step]) -> Simulation:
    outcomes: list[Outcome] = []
    earlier: list[Machine] = []
    alive = certain = True
    for step in steps:
        if not alive:
            gone = Answer(NOT_APPLICABLE, "mixed-ownership", "the host has crashed")
            outcomes.append(Outcome(step, gone, None))
            continue
        try:
            after, outcome = _take(machine, era, step)
        except UnknownTargetError:
            if not any(_names_something(state, step) for state in earlier):
                raise
            gone = Answer("-ENODEV", "partial-group", "it is gone: no such device")
            outcomes.append(Outcome(step, gone, None))
            continue
        earlier.append(machine)
        alive = outcome.answer.result != HOST_CRASH
        certain = certain and outcome.answer.result != UNKNOWN
        outcomes.append(outcome)
        machine = after
    return Simulation(tuple(outcomes), machine, alive, certain)


def _names_something(machine: Machine, step: Step) -> bool:
    try:
        _take(machine, ERAS[-1], step)
    except UnknownTargetError:
        return False
    return True


def _take(machine: Machine, era: Era, step: Step) -> Taken:
    match step:
        case Bind():
            return bind(machine, era, step)
        case Probe():
            return probe(machine, era, step)
        case Rebind():
            return rebind(machine, era, step)
        case Unbind():
            return unbind(machine, era, step)
        case Override():
            return override(machine, step)
        case Claim():
            return claim(machine, era, step)
        case Release():
            return release(machine, step)
        case Attach():
            return _attach(machine, era, step)
        case Detach():
            return _detach(machine, era, step)
        case Sriov():
            return sriov(machine, era, step)
        case Hotplug():
            return hotplug(machine, era, step)
        case Unplug():
            return unplug(machine, era, step)
        case NewId():
            return new_id(machine, era, step)
        case RemoveId():
            return removed_id(machine, step)
        case SetType():
            return set_type(machine, era, step)
        case Load():
            return load(machine, era, step)
        case Unload():
            return unload(machine, era, step)
        case SetParameter():
            return set_parameter(machine, step)


def _attach(machine: Machine, era: Era, step: Attach) -> Taken:
    device = device_of(machine, step)
    group = machine.group_of(device)
    answer = Inquiry(machine, only(era)).attach(device)
    if answer.result != OK or group is None:
        return done(machine, step, answer, group)
    after = with_group(machine, group, replace(group, held=Held.BY_KERNEL_DOMAIN))
    return done(after, step, answer, group)


def _detach(machine: Machine, era: Era, step: Detach) -> Taken:
    """``iommu_detach_device()`` returns nothing: a skipped detach only warns.

    It counts the group's devices since v4.2, as attaching does; before, and under the
    proposed rule, it detaches whatever the group has become.
    """
    device = device_of(machine, step)
    group = machine.group_of(device)
    rule = "singleton-assumption"
    if group is None or group.held is not Held.BY_KERNEL_DOMAIN:
        answer = Answer(
            NOT_APPLICABLE, rule, "nothing is attached: there is no domain to detach"
        )
        return done(machine, step, answer, group)
    if era.singleton_check and len(group.devices) != 1:
        answer = Answer(
            OK,
            rule,
            f"the group has grown to {len(group.devices)} devices: the kernel warns "
            "and does not detach, and the domain stays",
            (SINGLETON,),
        )
        return done(machine, step, answer, group)
    after = with_group(machine, group, replace(group, held=Held.FREE))
    return done(after, step, Answer(OK, rule, "the domain is detached"), group)
