"""What libvirt calls devices, and what the kernel calls them."""

from __future__ import annotations

import re

from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress

__all__ = ["block_of", "function_of", "interface_of"]

_FUNCTION = re.compile(
    r"pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([01][0-9a-f])_([0-7])", re.ASCII
)
# udevGenerateDeviceName() (src/node_device/node_device_udev.c) puts "_" for all but
# letters and digits, so a name with one in it may have been another.
_INTERFACE = re.compile(r"net_([A-Za-z0-9]{1,15})_(?:[0-9a-f]{2}_){5}[0-9a-f]{2}")
_BLOCK = re.compile(r"block_((?:nvme\d+n\d+|[svh]d[a-z]+|mmcblk\d+))(?:_.*)?")


def function_of(name: str) -> DeviceId | None:
    """Return the PCI function of a node device's name (``pci_0000_01_00_0``)."""
    found = _FUNCTION.fullmatch(name)
    if found is None:
        return None
    address = PciAddress.parse(f"{found[1]}:{found[2]}:{found[3]}.{found[4]}")
    return None if address is None else DeviceId.of_pci(address)


def interface_of(name: str) -> str | None:
    """Return the interface of a node device's name (``net_eth0_52_54_...``)."""
    found = _INTERFACE.fullmatch(name)
    return found[1] if found else None


def block_of(name: str) -> str | None:
    """Return the disk of a node device's name (``block_sda_...``)."""
    found = _BLOCK.fullmatch(name)
    return found[1] if found else None
