"""Volume Management Devices of Intel: whose requester id stands for what is behind.

Read in drivers/pci/controller/vmd.c and ``pci_real_dma_dev()`` in arch/x86/pci/common.c
of v7.3: requests from behind a VMD carry its id, and so all of it is in its group.
"""

from __future__ import annotations

from iommu_inspect.kernel.grouping.acs.unseen import Doubt, Unseen
from iommu_inspect.kernel.grouping.telling.pairs import vmd_above
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PCI_VENDOR_ID_INTEL

__all__ = ["Behind", "is_vmd", "real_device", "vmds"]

_VMD = frozenset(
    {
        *(0x201D, 0x28C0, 0x28C1, 0x467F, 0x4C3D, 0x7D0B, 0x9A0B, 0xA77F),
        *(0xAD0B, 0xB06F, 0xB07F, 0xB60B, 0xD70B, 0xD73B),
    }
)


@dataclass(frozen=True, slots=True)
class Behind:
    """The devices that may be the VMD above a function, and what was not seen."""

    candidates: tuple[Device, ...]
    doubt: Doubt | None


def is_vmd(device: Device) -> bool:
    """Say whether a function is a VMD by its ids."""
    return device.ids.vendor == PCI_VENDOR_ID_INTEL and device.ids.device in _VMD


def vmds(machine: Machine) -> tuple[Device, ...]:
    """Return every function that may be a VMD, for sure or for want of its ids."""
    return tuple(
        device
        for device in machine.devices
        if device.is_pci and not device.is_below_vmd and _may_be_vmd(device)
    )


def _may_be_vmd(device: Device) -> bool:
    if device.driver == "vmd" or is_vmd(device):
        return True
    maker = device.ids.vendor
    if known(maker) and (maker != PCI_VENDOR_ID_INTEL or known(device.ids.device)):
        return False
    return device.is_bridge is not True


def real_device(
    machine: Machine, device: Device, candidates: tuple[Device, ...]
) -> Behind | None:
    """Say whose requester id a function's requests carry, ``None`` for its own."""
    if not device.is_below_vmd:
        return None
    above = vmd_above(machine, device)
    if above is not None:
        return Behind((above,), None)
    sure = [d for d in candidates if d.driver == "vmd" or is_vmd(d)]
    if len(sure) == len(candidates) == 1:
        return Behind(candidates, None)
    because = f"behind which VMD {device.address} is, the source does not show"
    return Behind(candidates, Doubt(device, Unseen.PLACE, because))
