"""What to type as root until the next boot, and what takes it back."""

from __future__ import annotations

from collections.abc import Iterable
from shlex import quote as quoted

from iommu_inspect.model.device import Device
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
            return f"modprobe {quoted(module)}"
        case acts.AllowUnsafe(allowed):
            return f"echo {'Y' if allowed else 'N'} > {UNSAFE}"
        case acts.SetOverride(device, driver):
            file = f"devices/{device.address}/driver_override"
            return _echo(driver, device, file)
        case acts.TakeOff(device, driver) if driver == NOT_TOLD:
            # Works for whichever driver it has, and for none.
            driver = quoted(f"/sys/bus/{device.bus}/devices/{device.address}/driver")
            line = _echo(
                device.address, device, f"devices/{device.address}/driver/unbind"
            )
            return f"[ ! -e {driver} ] || {line}"
        case acts.TakeOff(device, driver):
            return _echo(device.address, device, f"drivers/{driver}/unbind")
        case acts.Probe(device, _):
            return _echo(device.address, device, "drivers_probe")
        case acts.Rebind(device, driver):
            return _echo(device.address, device, f"drivers/{driver}/bind")


def _echo(word: str, device: Device, file: str) -> str:
    """Write to a file of the device's bus, on the bus's own side of sysfs."""
    what = f" {quoted(word)}" if word else ""
    return f"echo{what} > {quoted(f'/sys/bus/{device.bus}/{file}')}"


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
        f"{quoted(step.device.address)}"
        for step in overrides
    )


def driverctl_set(device: Device, driver: str, *, save: bool) -> str:
    """Return one override by ``driverctl``; a saved one comes back at every boot."""
    words = _driverctl(device, save=save)
    return f"{words} set-override {quoted(device.address)} {quoted(driver)}"


def _driverctl(device: Device, *, save: bool) -> str:
    bus = "" if device.bus == "pci" else f" -b {quoted(str(device.bus))}"
    return f"driverctl{bus}{'' if save else ' --nosave'}"
