"""What to type as root until the next boot, and what takes it back."""

from __future__ import annotations

from iommu_inspect.model.machine import Device
from iommu_inspect.model.text import quoted
from iommu_inspect.plan.making import Plan
from iommu_inspect.plan.moves import VFIO_PCI, Move
from iommu_inspect.plan.sequence import bound, to_bind, to_change, to_release
from iommu_inspect.rules._words import unbind

__all__ = [
    "UNSAFE",
    "back",
    "device_file",
    "driverctl",
    "driverctl_back",
    "driverctl_set",
    "there",
]

UNSAFE = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"


def device_file(device: Device, name: str) -> str:
    """Return the path of an attribute of a device, on the bus's own side of sysfs."""
    return f"/sys/bus/{device.bus}/devices/{device.address}/{name}"


def there(plan: Plan) -> tuple[str, ...]:
    """Return the commands of the plan, one a line, in their order."""
    lines = [f"modprobe {quoted(module)}" for module in plan.load]
    if plan.unsafe:
        lines.append(f"echo Y > {UNSAFE}")
    lines += [_override(m.device, m.override) for m in to_change(plan.moves)]
    lines += [unbind(m.device) for m in to_release(plan.moves)]
    lines += [_to_driver(m.device, "drivers_probe") for m in to_bind(plan.moves)]
    return tuple(lines)


def back(plan: Plan) -> tuple[str, ...]:
    """Return the commands that lead back to the state of now.

    Modules stay loaded: without a device they do nothing.
    """
    lines = [
        _to_driver(m.device, f"drivers/{VFIO_PCI}/unbind") for m in to_bind(plan.moves)
    ]
    lines += [_override(m.device, had(m)) for m in to_change(plan.moves)]
    lines += [
        _to_driver(m.device, f"drivers/{bound(m.device)}/bind")
        for m in reversed(to_release(plan.moves))
    ]
    if plan.unsafe:
        lines.append(f"echo N > {UNSAFE}")
    return tuple(lines)


def had(move: Move) -> str:
    """Return the driver_override of now, empty without one or if it is not told."""
    override = move.device.driver_override
    return override if isinstance(override, str) else ""


def driverctl(plan: Plan) -> tuple[str, ...]:
    """Return the same by ``driverctl``, until the next boot."""
    moves = to_change(plan.moves)
    return tuple(driverctl_set(m.device, m.override, save=False) for m in moves)


def driverctl_back(plan: Plan) -> tuple[str, ...]:
    """Return what takes ``driverctl``'s overrides back; it probes again itself.

    It knows only "the driver that fits": nothing is returned where a device had none,
    or one by an override, for it would come to something else.
    """
    moves = to_change(plan.moves)
    if any(had(move) or not bound(move.device) for move in moves):
        return ()
    return tuple(
        f"{_driverctl(move.device, save=False)} unset-override "
        f"{quoted(move.device.address)}"
        for move in moves
    )


def driverctl_set(device: Device, driver: str, *, save: bool) -> str:
    """Return one override by ``driverctl``; a saved one comes back at every boot."""
    words = _driverctl(device, save=save)
    return f"{words} set-override {quoted(device.address)} {quoted(driver)}"


def _driverctl(device: Device, *, save: bool) -> str:
    bus = "" if device.bus == "pci" else f" -b {quoted(str(device.bus))}"
    return f"driverctl{bus}{'' if save else ' --nosave'}"


def _override(device: Device, driver: str) -> str:
    word = f" {quoted(driver)}" if driver else ""
    return f"echo{word} > {quoted(device_file(device, 'driver_override'))}"


def _to_driver(device: Device, file: str) -> str:
    path = quoted(f"/sys/bus/{device.bus}/{file}")
    return f"echo {quoted(device.address)} > {path}"
