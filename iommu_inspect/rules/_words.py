"""Sentences that several rules need, so that they say it alike."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device
from iommu_inspect.model.text import listed, quoted, shown

__all__ = [
    "addresses",
    "bound_to",
    "leave_to_the_host",
    "move_to_vfio",
    "unbind",
]


def addresses(devices: Iterable[Device]) -> str:
    """Join the devices' addresses as a sentence does."""
    return listed(shown(device.address) for device in devices)


def bound_to(device: Device) -> str:
    """Say which driver is bound."""
    if not known(device.driver):
        return "bound to a driver that the source does not tell"
    if device.driver is None:
        return "bound to no driver"
    return f"bound to {shown(device.driver)}"


def leave_to_the_host(device: Device) -> str:
    """Say, as an order, that a device is not to be handed over."""
    return f"leave {shown(device.address)} to the host"


def unbind(device: Device) -> str:
    """Return the command that takes the driver off a device, until the next boot."""
    file = quoted(f"/sys/bus/{device.bus}/drivers/{device.driver}/unbind")
    return f"echo {quoted(device.address)} > {file}"


def move_to_vfio(*devices: Device) -> str:
    """Return the commands that bind PCI devices to vfio-pci, until the next boot."""
    lines = ["modprobe vfio-pci"]
    for device in devices:
        override = f"/sys/bus/pci/devices/{device.address}/driver_override"
        lines.append(f"echo vfio-pci > {quoted(override)}")
        if device.driver is not None and known(device.driver):
            lines.append(unbind(device))
        lines.append(f"echo {quoted(device.address)} > /sys/bus/pci/drivers_probe")
    return "\n".join(lines)
