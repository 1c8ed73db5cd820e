"""Sentences that several rules need, so that they say it alike."""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Device
from iommu_inspect.model.text import printable

__all__ = [
    "addresses",
    "bound_to",
    "leave_to_the_host",
    "listed",
    "move_to_vfio",
    "quoted",
    "shown",
    "unbind",
]


def listed(words: Iterable[str]) -> str:
    """Join words as a sentence does: ``a``, ``a and b``, ``a, b and c``."""
    items = list(words)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def shown(name: str) -> str:
    """Return a name for use in prose, where a newline in it would begin a command."""
    return printable(name)


def quoted(text: str) -> str:
    """Quote a word for the shell; one with control characters as ``$'...'``.

    Names come from the source, which may be anybody's.
    """
    if text == printable(text):
        return shlex.quote(text)
    characters = (f"\\{c}" if c in "'\\" else printable(c) for c in text)
    return f"$'{''.join(characters)}'"


def addresses(devices: Iterable[Device]) -> str:
    """Join the devices' addresses as a sentence does."""
    return listed(shown(device.address) for device in devices)


def bound_to(device: Device) -> str:
    """Say which driver is bound."""
    if isinstance(device.driver, Missing):
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


def move_to_vfio(device: Device) -> str:
    """Return the commands that bind a PCI device to vfio-pci, until the next boot."""
    override = f"/sys/bus/pci/devices/{device.address}/driver_override"
    lines = ["modprobe vfio-pci", f"echo vfio-pci > {quoted(override)}"]
    if device.driver is not None and not isinstance(device.driver, Missing):
        lines.append(unbind(device))
    lines.append(f"echo {quoted(device.address)} > /sys/bus/pci/drivers_probe")
    return "\n".join(lines)
