"""The names of classes that ``lspci`` prints in place of their numbers.

Those of pci.ids that stand for one number each; a name that a whole class and a part
of it share ("Network controller") is left out.
"""

from __future__ import annotations

from iommu_inspect.model.fact import Fact, Missing

__all__ = ["class_of_name"]

_CLASSES = {
    "SCSI storage controller": 0x0100,
    "IDE interface": 0x0101,
    "RAID bus controller": 0x0104,
    "SATA controller": 0x0106,
    "Serial Attached SCSI controller": 0x0107,
    "Non-Volatile memory controller": 0x0108,
    "Ethernet controller": 0x0200,
    "Infiniband controller": 0x0207,
    "VGA compatible controller": 0x0300,
    "3D controller": 0x0302,
    "Audio device": 0x0403,
    "RAM memory": 0x0500,
    "Host bridge": 0x0600,
    "ISA bridge": 0x0601,
    "PCI bridge": 0x0604,
    "CardBus bridge": 0x0607,
    "Serial controller": 0x0700,
    "PIC": 0x0800,
    "SD Host controller": 0x0805,
    "IOMMU": 0x0806,
    "FireWire (IEEE 1394)": 0x0C00,
    "USB controller": 0x0C03,
    "USB Controller": 0x0C03,
    "SMBus": 0x0C05,
}


def class_of_name(name: str) -> Fact[int]:
    """Return the upper 16 bits of the class code of this name."""
    return _CLASSES.get(name, Missing.ABSENT)
