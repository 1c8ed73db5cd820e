"""What to type as root until the next boot, and what takes it back."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.device import Device
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.moves import NOT_TOLD
from iommu_inspect.plan.steps import acts

__all__ = ["UNSAFE", "commands", "driverctl", "driverctl_back", "driverctl_set"]

UNSAFE = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"


def commands(steps: Iterable[acts.PlanStep]) -> tuple[str, ...]:
    """Return the steps as commands, one a line."""
    return tuple(map(_command, steps))


def _command(step: acts.PlanStep) -> str:
    match step:
        case acts.Load(module):
            return f"modprobe {shell.module(module)}"
        case acts.AllowUnsafe(allowed):
            return shell.echo("Y" if allowed else "N", UNSAFE)
        case acts.SetOverride(device, driver):
            return shell.echo(driver, shell.sysfs(device, "driver_override"))
        case acts.TakeOff(device, driver) if driver == NOT_TOLD:
            # Works for whichever driver it has, and for none.
            line = shell.echo(device.address, shell.sysfs(device, "driver", "unbind"))
            return f"[ ! -e {shell.sysfs(device, 'driver')} ] || {line}"
        case acts.TakeOff(device, driver):
            return _of_bus(device, "drivers", shell.driver(driver), "unbind")
        case acts.Probe(device, _):
            return _of_bus(device, "drivers_probe")
        case acts.Rebind(device, driver):
            return _of_bus(device, "drivers", shell.driver(driver), "bind")


def _of_bus(device: Device, *file: str) -> str:
    """Write the device's name to a file of its bus."""
    return shell.echo(
        shell.device(device), "/".join(("/sys/bus", str(device.bus), *file))
    )


def driverctl(there: Iterable[acts.PlanStep]) -> tuple[str, ...]:
    """Return the same by ``driverctl``, until the next boot.

    It takes drivers off and probes by itself.
    """
    return tuple(
        driverctl_set(step.device, step.driver, save=False)
        for step in there
        if isinstance(step, acts.SetOverride)
    )


def driverctl_back(
    back: Iterable[acts.PlanStep], *, save: bool = False
) -> tuple[str, ...]:
    """Return what takes ``driverctl``'s overrides back; it probes again itself.

    It knows only "the driver that fits": nothing is returned where a device had none,
    or one by an override, for it would come to something else.
    """
    steps = tuple(back)
    overrides = [step for step in steps if isinstance(step, acts.SetOverride)]
    rebound = {step.device.id for step in steps if isinstance(step, acts.Rebind)}
    if any(o.driver != "" or o.device.id not in rebound for o in overrides):
        return ()
    return tuple(
        f"{_driverctl(step.device, save=save)} unset-override "
        f"{shell.device(step.device)}"
        for step in overrides
    )


def driverctl_set(device: Device, driver: str, *, save: bool) -> str:
    """Return one override by ``driverctl``; a saved one comes back at every boot."""
    words = _driverctl(device, save=save)
    return f"{words} set-override {shell.device(device)} {shell.driver(driver)}"


def _driverctl(device: Device, *, save: bool) -> str:
    bus = "" if device.bus == "pci" else f" -b {shell.name(device.bus)}"
    return f"driverctl{bus}{'' if save else ' --nosave'}"
