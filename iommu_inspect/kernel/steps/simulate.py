"""What the kernel would answer to steps that nobody has taken, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

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
from iommu_inspect.kernel.steps.binding import bind_answer, refused_by_override
from iommu_inspect.kernel.steps.claiming import claim, release
from iommu_inspect.kernel.steps.newcomers import NEW_GROUP, hotplug, sriov, unplug
from iommu_inspect.kernel.steps.noiommu import made_up, taken_back
from iommu_inspect.kernel.steps.parents import came_back, let_go
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
    Override,
    Probe,
    Rebind,
    Release,
    Sriov,
    Step,
    Unbind,
    Unplug,
)
from iommu_inspect.model.asked.target import UnknownTargetError
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
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
            return _bind(machine, era, step)
        case Probe():
            return _probe(machine, era, step)
        case Rebind():
            device = device_of(machine, step)
            return _bound(machine, era, step, device, device, step.driver)
        case Unbind():
            return _unbind(machine, era, step)
        case Override():
            return _override(machine, step)
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


def _bind(machine: Machine, era: Era, step: Bind) -> Taken:
    device = device_of(machine, step)
    after = replace(device, driver_override=step.driver)
    return _bound(machine, era, step, device, after, step.driver)


def _probe(machine: Machine, era: Era, step: Probe) -> Taken:
    """Have the bus look for a driver: drivers_probe_store() in drivers/base/bus.c.

    It passes over a device that has one. What a driver's probe refuses is not told, so
    that the next driver can try its luck (__device_attach_driver()); what comes before
    the probe, the claim of the group's DMA, is told as -EINVAL, whatever it was.
    """
    device = device_of(machine, step)
    group = machine.group_of(device)
    if isinstance(device.driver, str):
        because = f"{device.driver} is bound already: the bus passes over it"
        return done(machine, step, Answer(OK, "driver-override", because), group)
    override = device.driver_override
    driver = override if isinstance(override, str) else step.driver
    if driver is None:
        because = "no driver_override names a driver: whichever fits binds"
        answer = Answer(UNKNOWN, "driver-override", because)
        return done(machine, step, answer, group)
    after, outcome = _bound(machine, era, step, device, device, driver)
    if outcome.answer.probe:
        because = f"{driver} refuses ({outcome.answer.probe}), which is not told: "
        because += outcome.answer.because
        answer = replace(outcome.answer, result=OK, because=because)
        outcome = replace(outcome, answer=answer)
    elif outcome.answer.result.startswith("-E"):
        because = f"{outcome.answer.because} ({outcome.answer.result} in itself)"
        answer = replace(outcome.answer, result="-EINVAL", because=because)
        outcome = replace(outcome, answer=answer)
    return after, outcome


def _bound(
    machine: Machine,
    era: Era,
    step: Bind | Probe | Rebind,
    device: Device,
    after: Device,
    driver: str,
) -> Taken:
    """Bind a driver to a device, which ``after`` is once the override was written."""
    group = machine.group_of(device)
    answer = refused_by_override(after, driver)
    if answer is None:
        answer = bind_answer(machine, device, driver, era)
    if answer.result == OK:
        after = replace(after, driver=driver, vfio_devices=())
    machine = machine.with_device(device, after)
    if answer.result != OK:
        return done(machine, step, answer, group)
    makes_groups = machine.vfio_groups is not False
    if group is None and has_vfio_driver(after) is True and makes_groups:
        return made_up(machine, after), Outcome(step, answer, NEW_GROUP)
    return done(came_back(machine, after), step, answer, group)


def _unbind(machine: Machine, era: Era, step: Unbind) -> Taken:
    device = device_of(machine, step)
    group = machine.group_of(device)
    if not known(device.driver):
        answer = Answer(
            UNKNOWN, "mixed-ownership", "the source does not tell its driver"
        )
        return done(machine, step, answer, group)
    if device.driver is None:
        answer = Answer("-ENOENT", "mixed-ownership", "no driver is bound")
        return done(machine, step, answer, group)
    machine, refused = let_go(machine, device, era)
    if refused is not None:
        return done(machine, step, refused, group)
    answer = Answer(OK, "mixed-ownership", f"{device.driver} lets go")
    current = machine.device(device.id) or device
    gone = replace(current, driver=None, vfio_devices=())
    after = taken_back(machine.with_device(current, gone), gone)
    return done(after, step, answer, group)


def _override(machine: Machine, step: Override) -> Taken:
    device = device_of(machine, step)
    after = machine.with_device(device, replace(device, driver_override=step.driver))
    answer = Answer(OK, "driver-override", "it counts at the next probe")
    return done(after, step, answer, machine.group_of(device))


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
