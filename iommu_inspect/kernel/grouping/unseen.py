"""Why a function's configuration space was not seen, as far as the source says it."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine

__all__ = ["root_would_see", "why_unseen"]


def root_would_see(machine: Machine, device: Device) -> bool:
    """Say whether the source shows that whoever made it was not root.

    To others than root the kernel gives the first 64 bytes (pci_read_config() in
    drivers/pci/pci-sysfs.c), and lspci then says "access denied". A text that is cut
    short may have been cut by anybody.
    """
    acs = device.pci.acs
    cut = acs is Missing.TRUNCATED and machine.source.kind != "lspci"
    return cut or acs is Missing.DENIED


def why_unseen(machine: Machine, device: Device) -> str:
    """Say in half a sentence why a function's ACS is not known."""
    if root_would_see(machine, device):
        return "without root only 64 bytes of configuration space can be read"
    match device.pci.acs:
        case Missing.TRUNCATED:
            return "the text holds only a part of its configuration space"
        case Missing.UNREADABLE:
            return "its configuration space could not be read"
        case Missing.ABSENT:
            return "the source does not hold its configuration space"
    return "the source does not show enough of its configuration space"
