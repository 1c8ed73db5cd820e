"""Drivers by which user space has a device without VFIO: what their DMA reaches.

Nothing of the IOMMU is asked when such a device is opened: the driver is one of the
host's, and DMA goes through the group's default domain, as it does for any other.
"""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine

__all__ = ["is_bifurcated", "is_on_uio", "reaches_memory"]

# DPDK, "Linux Drivers": uio_pci_generic of the kernel, and igb_uio of dpdk-kmods.
_UIO_DRIVERS = frozenset({"igb_uio", "uio_pci_generic"})
# The same, "Bifurcated Driver": DPDK works through these, the device stays on them.
_BIFURCATED = frozenset({"mana", "mlx4_core", "mlx5_core"})


def is_on_uio(device: Device) -> bool:
    """Say whether a driver is bound that gives the device to user space by UIO."""
    return isinstance(device.driver, str) and normalised(device.driver) in _UIO_DRIVERS


def is_bifurcated(device: Device) -> bool:
    """Say whether the bound driver is one that DPDK works through."""
    return isinstance(device.driver, str) and normalised(device.driver) in _BIFURCATED


def reaches_memory(machine: Machine, device: Device) -> bool | None:
    """Say whether physical addresses reach memory from this device.

    They do where no IOMMU translates: in no group at all, or with a default domain of
    type ``identity``. ``None`` where that cannot be told.
    """
    group = machine.group_of(device)
    if group is None:
        untold = not known(device.group) or not machine.groups_known
        return None if untold else device.group is None
    if group.is_noiommu is True:
        return True
    if not known(group.type) or group.type == "unknown":
        return None
    return group.type == "identity"
