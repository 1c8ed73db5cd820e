"""A driver takes a device and lets it go: bind, probe, unbind, override."""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.steps.binding import bind_answer, refused_by_override
from iommu_inspect.kernel.steps.newcomers import NEW_GROUP
from iommu_inspect.kernel.steps.noiommu import made_up, taken_back
from iommu_inspect.kernel.steps.parents import came_back, let_go
from iommu_inspect.kernel.steps.state import Outcome, Taken, device_of, done
from iommu_inspect.kernel.steps.step import (
    Bind,
    Load,
    NewId,
    Override,
    Probe,
    Rebind,
    Unbind,
    Unload,
)
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.machine import Machine

__all__ = ["bind", "bound", "lets_go", "override", "probe", "rebind", "unbind"]


def bind(machine: Machine, era: Era, step: Bind) -> Taken:
    """Set the override, then write to the driver's ``bind``."""
    device = device_of(machine, step)
    after = replace(device, driver_override=step.driver)
    return bound(machine, era, step, device, after, step.driver)


def rebind(machine: Machine, era: Era, step: Rebind) -> Taken:
    """Write to a driver's ``bind`` and nothing else."""
    device = device_of(machine, step)
    return bound(machine, era, step, device, device, step.driver)


def probe(machine: Machine, era: Era, step: Probe) -> Taken:
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
    if normalised(driver) in machine.aftermath.removed_modules:
        because = f"{driver} was removed: no driver fits"
        return done(machine, step, Answer(OK, "driver-override", because), group)
    after, outcome = bound(machine, era, step, device, device, driver)
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


def bound(
    machine: Machine,
    era: Era,
    step: Bind | Probe | Rebind | NewId | Load,
    device: Device,
    after: Device,
    driver: str,
) -> Taken:
    """Bind a driver to a device, which ``after`` is once the override was written."""
    group = machine.group_of(device)
    answer: Answer | None
    if normalised(driver) in machine.aftermath.removed_modules:
        answer = Answer("-ENOENT", "not-on-vfio", f"{driver} was removed")
    else:
        answer = refused_by_override(machine, after, driver)
    if answer is None:
        answer = bind_answer(machine, device, driver, era)
    if answer.result == OK:
        after = replace(after, driver=driver, vfio_devices=())
    machine = machine.with_device(device, after)
    if answer.result != OK:
        return done(machine, step, answer, group)
    # What is asked of the whole machine comes last: plans take a step a function.
    if (
        group is None
        and has_vfio_driver(after) is True
        and machine.vfio_groups is not False
    ):
        return made_up(machine, after), Outcome(step, answer, NEW_GROUP)
    return done(came_back(machine, after), step, answer, group)


def unbind(machine: Machine, era: Era, step: Unbind) -> Taken:
    """Write to the ``unbind`` of the device's driver."""
    return lets_go(machine, era, step, device_of(machine, step))


def lets_go(machine: Machine, era: Era, step: Unbind | Unload, device: Device) -> Taken:
    """Have a device's driver let go of it."""
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
        if refused.result == UNKNOWN:
            # Whatever else becomes of it: whether it has the driver is not known.
            untold = replace(device, driver=Missing.ABSENT)
            machine = machine.with_device(device, untold)
        return done(machine, step, refused, group)
    answer = Answer(OK, "mixed-ownership", f"{device.driver} lets go")
    current = machine.device(device.id) or device
    gone = replace(current, driver=None, vfio_devices=())
    after = taken_back(machine.with_device(current, gone), gone)
    return done(after, step, answer, group)


def override(machine: Machine, step: Override) -> Taken:
    """Write ``driver_override``."""
    device = device_of(machine, step)
    after = machine.with_device(device, replace(device, driver_override=step.driver))
    answer = Answer(OK, "driver-override", "it counts at the next probe")
    return done(after, step, answer, machine.group_of(device))
