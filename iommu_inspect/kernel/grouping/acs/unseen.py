"""Why a function's configuration space was not seen, as far as the source says it."""

from __future__ import annotations

import enum

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.machine import Machine

__all__ = ["FILES", "Doubt", "Unseen", "root_would_see", "why_unseen"]

# Kinds of sources that are files of the kernel's, not texts.
FILES = ("live", "tree", "snapshot")


class Unseen(enum.Enum):
    """What of a function was not seen, and would settle a question.

    ``BYTES``: controls that words do not show. ``LOG``: what the kernel did, out of
    sight of registers. ``OPTIONS``: those it was booted with. ``REACH``: whether an
    IOMMU translates for it. ``HARDWARE``: what only the device tells.
    """

    IDS = "ids"
    KIND = "kind"
    FUNCTIONS = "functions"
    ACS = "acs"
    BYTES = "bytes"
    LOG = "log"
    OPTIONS = "options"
    PLACE = "place"
    REACH = "reach"
    HARDWARE = "hardware"


@dataclass(frozen=True, slots=True)
class Doubt:
    """A function, what of it was not seen, and a sentence that says so."""

    device: Device
    what: Unseen
    because: str

    def __hash__(self) -> int:
        # A device is told by its identity; all of its facts would take long, and a bus
        # of 256 functions has doubts of each about each.
        return hash((self.device.id, self.because))


def root_would_see(machine: Machine, device: Device) -> bool:
    """Say whether the source shows that whoever made it was not root.

    To others than root the kernel gives the first 64 bytes (pci_read_config() in
    drivers/pci/pci-sysfs.c), and lspci then says "access denied". A text that is cut
    short may have been cut by anybody.
    """
    acs = device.pci.acs
    # The kind is beyond the 64 bytes too: where it was read, they were not the end.
    short = acs is Missing.TRUNCATED and not known(device.pci.pcie_type)
    from_files = machine.source.kind in FILES
    return (short and from_files) or acs is Missing.DENIED


def why_unseen(machine: Machine, device: Device) -> str:
    """Say in half a sentence why a function's ACS is not known."""
    if root_would_see(machine, device):
        return "without root only 64 bytes of configuration space can be read"
    match device.pci.acs:
        case Missing.TRUNCATED:
            if machine.source.kind in FILES:
                return "only a part of its configuration space was read"
            return "the text holds only a part of its configuration space"
        case Missing.UNREADABLE:
            return "its configuration space could not be read"
        case Missing.ABSENT:
            return "the source does not hold its configuration space"
    return "the source does not show enough of its configuration space"
