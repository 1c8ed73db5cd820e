"""Numbers of PCI by the names that the kernel has for them.

From include/uapi/linux/pci_regs.h and include/linux/pci_ids.h (v6.12). A class of 16
bits is the upper part of the class code, without the programming interface; a base
class is its upper byte. What the kernel has no name for says so.
"""

from __future__ import annotations

import enum

__all__ = [
    "PCI_ACS_CR",
    "PCI_ACS_DT",
    "PCI_ACS_EC",
    "PCI_ACS_RR",
    "PCI_ACS_SV",
    "PCI_ACS_TB",
    "PCI_ACS_UF",
    "PCI_BASE_CLASS_DISPLAY",
    "PCI_BASE_CLASS_NETWORK",
    "PCI_BASE_CLASS_NOT_DEFINED",
    "PCI_BASE_CLASS_SERIAL",
    "PCI_BASE_CLASS_STORAGE",
    "PCI_BASE_CLASS_SYSTEM",
    "PCI_BASE_CLASS_WIRELESS",
    "PCI_CLASS_BRIDGE_CARDBUS",
    "PCI_CLASS_BRIDGE_HOST",
    "PCI_CLASS_BRIDGE_ISA",
    "PCI_CLASS_BRIDGE_OTHER",
    "PCI_CLASS_BRIDGE_PCI",
    "PCI_CLASS_BRIDGE_SEMI_TRANSPARENT",
    "PCI_CLASS_DISPLAY_VGA",
    "PCI_CLASS_MULTIMEDIA_HD_AUDIO",
    "PCI_CLASS_OTHERS",
    "PCI_CLASS_SERIAL_OTHER",
    "PCI_CLASS_SERIAL_USB",
    "PCI_CLASS_SYSTEM_IOMMU",
    "PCI_CLASS_SYSTEM_RCEC",
    "PCI_VENDOR_ID_AMD",
    "PCI_VENDOR_ID_ATI",
    "PCI_VENDOR_ID_INTEL",
    "PCI_VENDOR_ID_NVIDIA",
    "PciCapId",
    "PciExpType",
    "PciExtCapId",
    "PciHeaderType",
]


class PciHeaderType(enum.IntEnum):
    """``PCI_HEADER_TYPE_*``: the layout of the header, without PCI_HEADER_TYPE_MFD."""

    NORMAL = 0
    BRIDGE = 1
    CARDBUS = 2


class PciExpType(enum.IntEnum):
    """``PCI_EXP_TYPE_*``: device/port type (PCIe 6.0, 7.5.3.2)."""

    ENDPOINT = 0x0
    LEG_END = 0x1
    ROOT_PORT = 0x4
    UPSTREAM = 0x5
    DOWNSTREAM = 0x6
    PCI_BRIDGE = 0x7
    """PCI Express above, conventional PCI below."""
    PCIE_BRIDGE = 0x8
    """Conventional PCI above, PCI Express below."""
    RC_END = 0x9
    RC_EC = 0xA


class PciCapId(enum.IntEnum):
    """``PCI_CAP_ID_*``: conventional capabilities."""

    EXP = 0x10


class PciExtCapId(enum.IntEnum):
    """``PCI_EXT_CAP_ID_*``: extended capabilities."""

    ACS = 0x0D
    SRIOV = 0x10


PCI_ACS_SV = 0x01
"""Source Validation."""
PCI_ACS_TB = 0x02
"""Translation Blocking."""
PCI_ACS_RR = 0x04
"""P2P Request Redirect."""
PCI_ACS_CR = 0x08
"""P2P Completion Redirect."""
PCI_ACS_UF = 0x10
"""Upstream Forwarding."""
PCI_ACS_EC = 0x20
"""P2P Egress Control."""
PCI_ACS_DT = 0x40
"""Direct Translated P2P."""

PCI_BASE_CLASS_NOT_DEFINED = 0x00
"""Not in the kernel by this name: PCI_CLASS_NOT_DEFINED and its like."""
PCI_BASE_CLASS_STORAGE = 0x01
PCI_BASE_CLASS_NETWORK = 0x02
PCI_BASE_CLASS_DISPLAY = 0x03
PCI_BASE_CLASS_SYSTEM = 0x08
PCI_BASE_CLASS_SERIAL = 0x0C
PCI_BASE_CLASS_WIRELESS = 0x0D
PCI_CLASS_OTHERS = 0xFF

PCI_CLASS_DISPLAY_VGA = 0x0300
PCI_CLASS_MULTIMEDIA_HD_AUDIO = 0x0403
PCI_CLASS_BRIDGE_HOST = 0x0600
PCI_CLASS_BRIDGE_ISA = 0x0601
PCI_CLASS_BRIDGE_PCI = 0x0604
PCI_CLASS_BRIDGE_CARDBUS = 0x0607
PCI_CLASS_BRIDGE_SEMI_TRANSPARENT = 0x0609
"""Not in the kernel's list: a semi-transparent PCI-to-PCI bridge."""
PCI_CLASS_BRIDGE_OTHER = 0x0680
PCI_CLASS_SYSTEM_IOMMU = 0x0806
"""Not in the kernel's list: the function by which an IOMMU shows itself on the bus."""
PCI_CLASS_SYSTEM_RCEC = 0x0807
PCI_CLASS_SERIAL_USB = 0x0C03
PCI_CLASS_SERIAL_OTHER = 0x0C80
"""Not in the kernel by this name: a serial bus controller of no other kind."""

PCI_VENDOR_ID_ATI = 0x1002
PCI_VENDOR_ID_AMD = 0x1022
PCI_VENDOR_ID_NVIDIA = 0x10DE
PCI_VENDOR_ID_INTEL = 0x8086
