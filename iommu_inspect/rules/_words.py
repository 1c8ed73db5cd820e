"""Sentences that several rules need, so that they say it alike."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Device

__all__ = ["addresses", "bound_to", "listed", "move_to_vfio", "unbind"]


def listed(words: Iterable[str]) -> str:
    """Join words as a sentence does: ``a``, ``a and b``, ``a, b and c``."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def addresses(devices: Iterable[Device]) -> str:
    """Join the devices' addresses as a sentence does."""
    return listed(device.address for device in devices)


def bound_to(device: Device) -> str:
    """Say which driver is bound."""
    if isinstance(device.driver, Missing):
        return "bound to a driver that the source does not tell"
    return (
        "bound to no driver" if device.driver is None else f"bound to {device.driver}"
    )


def unbind(device: Device) -> str:
    """Return the command that takes the driver off a device, until the next boot.

    Names are quoted: they come from the source, which may be anybody's.
    """
    file = shlex.quote(f"/sys/bus/{device.bus}/drivers/{device.driver}/unbind")
    return f"echo {shlex.quote(device.address)} > {file}"


def move_to_vfio(device: Device) -> str:
    """Return the commands that bind a PCI device to vfio-pci, until the next boot."""
    override = f"/sys/bus/pci/devices/{device.address}/driver_override"
    lines = ["modprobe vfio-pci", f"echo vfio-pci > {shlex.quote(override)}"]
    if device.driver is not None and not isinstance(device.driver, Missing):
        lines.append(unbind(device))
    lines.append(f"echo {shlex.quote(device.address)} > /sys/bus/pci/drivers_probe")
    return "\n".join(lines)
