"""Drivers by which DPDK has a device without VFIO: what their DMA reaches.

Nothing of the IOMMU is asked when such a device is opened: the driver is one of the
host's, and DMA goes through the group's default domain, as it does for any other.
"""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import UIO_DRIVERS, normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PCI_BASE_CLASS_NETWORK

__all__ = ["is_on_uio", "reaches_memory", "untold_whether", "works_through"]

# DPDK's guide "Linux Drivers", "Bifurcated Driver": DPDK works through these, and the
# device stays on them.
_BIFURCATED = frozenset({"mana", "mlx4_core", "mlx5_core"})

_MELLANOX, _MICROSOFT = 0x15B3, 0x1414
# mlx4_pci_table in drivers/net/ethernet/mellanox/mlx4/main.c: ConnectX-2 and 3.
_MLX4 = range(0x1002, 0x1011)
# mlx5_core_pci_table in drivers/net/ethernet/mellanox/mlx5/core/main.c: Connect-IB,
# and ConnectX from 4 (0x1013) to 10 (0x1027) so far; newer ones go on from there. Then
# ConnectX-10 by NVLink, and BlueField.
_MLX5 = range(0x1011, 0x1100)
_MLX5_TOO = frozenset({0x2101, 0xA2D2, 0xA2D3, 0xA2D6, 0xA2DC, 0xA2DF})
# mana_id_table in drivers/net/ethernet/microsoft/mana/gdma_main.c: the function that
# guests get.
_MANA = 0x00BA
_INFINIBAND = 0x0C06

# The words of iommu_group_show_type() in drivers/iommu/iommu.c, but "unknown".
_REACHED_BY_TYPE = {
    "identity": True,
    "DMA": False,
    "DMA-FQ": False,
    "blocked": False,
    "unmanaged": False,
}


def is_on_uio(device: Device) -> bool:
    """Say whether a driver is bound that gives the device to user space by UIO."""
    return isinstance(device.driver, str) and normalised(device.driver) in UIO_DRIVERS


def works_through(device: Device) -> str | None:
    """Return the kernel's driver that DPDK works through for such a device.

    The device has to be on that driver. ``None`` for all devices that DPDK wants for
    itself, by VFIO or by UIO.
    """
    driver = device.driver
    if isinstance(driver, str) and normalised(driver) in _BIFURCATED:
        return driver
    vendor, model = device.ids.vendor, device.ids.device
    if vendor == _MICROSOFT and model == _MANA:
        return "mana"
    if vendor != _MELLANOX or not known(model):
        return None
    if model in _MLX4:
        return "mlx4_core"
    return "mlx5_core" if model in _MLX5 or model in _MLX5_TOO else None


def untold_whether(device: Device) -> bool:
    """Say whether it is not told if DPDK works through a driver of the kernel for it.

    Only network devices and those of InfiniBand are such (classes 02 and 0c06).
    """
    kind = device.base_class
    if works_through(device) is not None:
        return False
    if known(kind) and kind >> 8 != PCI_BASE_CLASS_NETWORK and kind != _INFINIBAND:
        return False
    vendor, model = device.ids.vendor, device.ids.device
    return not known(vendor) or (vendor in (_MELLANOX, _MICROSOFT) and not known(model))


def reaches_memory(machine: Machine, device: Device) -> bool | None:
    """Say whether physical addresses reach memory from this device.

    They do where no IOMMU translates: in no group at all, or with a default domain of
    type ``identity``. ``None`` where that cannot be told, also where the word is none
    of those that iommu_group_show_type() (drivers/iommu/iommu.c) has for a domain.
    """
    group = machine.group_of(device)
    if group is None:
        untold = not known(device.group) or not machine.groups_known
        return None if untold else device.group is None
    if group.is_noiommu is True:
        return True
    if not known(group.type) or group.type not in _REACHED_BY_TYPE:
        return None
    return _REACHED_BY_TYPE[group.type]
