"""Sentences that several rules need, so that they say it alike."""

from __future__ import annotations

from collections.abc import Iterable, Sized

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_DISPLAY,
    PCI_BASE_CLASS_NETWORK,
    PCI_BASE_CLASS_STORAGE,
)
from iommu_inspect.model.text import listed, shown

__all__ = [
    "addresses",
    "bound_to",
    "caution",
    "leave_to_the_host",
    "verb",
]


def addresses(devices: Iterable[Device]) -> str:
    """Join the devices' addresses as a sentence does."""
    return listed(shown(device.address) for device in devices)


def verb(devices: Sized, one: str, more: str) -> str:
    """Return the word that goes with one of these, or with several: "has", "have"."""
    return one if len(devices) == 1 else more


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


# Disks, displays, networks: what a host is likely to need itself.
_LIKELY_NEEDED = {
    PCI_BASE_CLASS_STORAGE: (
        "a storage controller: the host's own disks may be behind it"
    ),
    PCI_BASE_CLASS_NETWORK: "a network device: the host may be reached through it",
    PCI_BASE_CLASS_DISPLAY: "a display: the host's console may be on it",
}


def caution(device: Device) -> str:
    """Say what a host may lose with a device, by its class; empty where nothing."""
    base = device.base_class
    if device.driver is None or not known(base):
        return ""
    text = _LIKELY_NEEDED.get(base >> 8)
    return f"It is {text}." if text else ""
