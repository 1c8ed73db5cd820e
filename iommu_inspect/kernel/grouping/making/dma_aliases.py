"""Under which other requester ids a function's requests can appear.

The ids of the quirks are those of drivers/pci/quirks.c (``quirk_dma_func0_alias`` and
its neighbours), read in v7.3.
"""

from __future__ import annotations

import enum

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.host.kernel_release import version_of
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import (
    PCI_CLASS_BRIDGE_OTHER,
    PCI_VENDOR_ID_INTEL,
    PciExpType,
)

__all__ = ["BridgeAlias", "alias_devfns", "bridge_alias", "devfn"]

_FUNCTION_0 = frozenset(
    {(0x1180, 0xE832), (0x1180, 0xE476), (0x6766, 0x3D40), (0x6766, 0x3D41)}
)
_MARVELL_FUNCTION_1 = (
    *(0x9120, 0x9123, 0x9125, 0x9128, 0x9130, 0x9170, 0x9172, 0x917A, 0x9182, 0x9183),
    *(0x91A0, 0x9215, 0x9220, 0x9230, 0x9235),
)
_FUNCTION_1 = frozenset(
    {(0x1B4B, product) for product in _MARVELL_FUNCTION_1}
    | {(0x1103, 0x0642), (0x1103, 0x0645), (0x197B, 0x2392), (0x1C28, 0x0122)}
)
_ADAPTEC, _ADAPTEC_SUBSYSTEMS = (0x9005, 0x0285), frozenset({0x02BB, 0x02BC})
_MIC_X200 = frozenset({(PCI_VENDOR_ID_INTEL, 0x2260), (PCI_VENDOR_ID_INTEL, 0x2264)})
_PEX_VCA = frozenset(
    (PCI_VENDOR_ID_INTEL, i) for i in (*range(0x2954, 0x2957), *range(0x2958, 0x295B))
)
_PLX_NTB = frozenset({(0x10B5, 0x87B0), (0x10B5, 0x87B1)})
# Microchip and, for the PCI100x, EFAR.
_SWITCHTEC_VENDORS = frozenset({0x11F8, 0x1055})
# Whose functions may be one of these.
_MAKERS = _SWITCHTEC_VENDORS | {
    maker
    for maker, _ in (
        *(*_FUNCTION_0, *_FUNCTION_1, _ADAPTEC, *_MIC_X200, *_PEX_VCA, *_PLX_NTB),
    )
}


# Broadcom Vulcan and Cavium ThunderX2: the IOMMU translates at this bridge, and what is
# above it sees no request (PCI_DEV_FLAGS_BRIDGE_XLATE_ROOT).
_TRANSLATION_ROOTS = frozenset({(0x14E4, 0x9000), (0x14E4, 0x9084)})
# Aspeed's bridge to the graphics of a BMC has no conventional bus behind it: v7.3 knows
# that it passes ids on (PCI_DEV_FLAGS_PCI_BRIDGE_NO_ALIAS), v6.12 does not; what is
# between was not read. The groups are the same: it does not isolate.
_PASSES_ON, _PASSED_ON_SINCE = (0x1A03, 0x1150), (7, 3)


class BridgeAlias(enum.Enum):
    """What a bridge does to the requester ids of what is below it.

    At the ``ROOT`` of the translation requests end.
    """

    NONE = "none"
    TAKES_OVER = "takes-over"
    ROOT = "root"
    UNKNOWN = "unknown"


def devfn(device: Device) -> int | None:
    """Return slot and function as one number, ``None`` for what is no PCI function."""
    address = device.pci_address
    return None if address is None else address.slot << 3 | address.function


def _product(device: Device) -> tuple[int, int] | None:
    vendor, product = device.ids.vendor, device.ids.device
    if not known(vendor) or not known(product):
        return None
    return vendor, product


def _may_pose(device: Device) -> bool:
    """Say whether a function whose ids are not known may be one of the tables'.

    Those are endpoints, of PCI Express or conventional; Intel's are on PCI Express
    cards, Xeon Phi and VCA.
    """
    maker, kind = device.ids.vendor, device.pci.pcie_type
    if known(maker) and maker not in _MAKERS:
        return False
    if not known(kind):
        return True
    if kind is None:
        return maker != PCI_VENDOR_ID_INTEL
    return kind in (PciExpType.ENDPOINT, PciExpType.LEG_END)


def alias_devfns(device: Device) -> frozenset[int] | None:
    """Return the devfns of the same bus that a function's requests may carry.

    ``None`` where that cannot be told: ids that are not known (the maker's may do), or
    a Switchtec NTB, which the kernel asks the hardware about.
    """
    own, product = devfn(device), _product(device)
    if own is None:
        return None
    if product is None:
        return None if _may_pose(device) else frozenset()
    if product in _FUNCTION_0:
        return frozenset({own & ~7})
    if product in _FUNCTION_1:
        return frozenset({own & ~7 | 1})
    if product == _ADAPTEC:
        return _of_adaptec(device)
    if product in _MIC_X200:
        return frozenset({0x10 << 3, 0x11 << 3, 0x12 << 3 | 3})
    if product in _PEX_VCA:
        return frozenset(slot << 3 | f for slot in range(32) for f in range(5))
    if product in _PLX_NTB:
        return frozenset(range(256))
    if product[0] in _SWITCHTEC_VENDORS and device.base_class == PCI_CLASS_BRIDGE_OTHER:
        return None
    return frozenset()


def _of_adaptec(device: Device) -> frozenset[int] | None:
    """Two controllers of one id pose as 01.0 (``fixed_dma_alias_tbl[]``)."""
    vendor, product = device.ids.subsystem_vendor, device.ids.subsystem_device
    if known(vendor) and vendor != _ADAPTEC[0]:
        return frozenset()
    if known(product) and product not in _ADAPTEC_SUBSYSTEMS:
        return frozenset()
    return frozenset({1 << 3}) if known(vendor) and known(product) else None


def bridge_alias(bridge: Device, machine: Machine) -> BridgeAlias:
    """Say whether a bridge puts an id of its own on what passes upwards.

    Ports of PCI Express pass requests on as they are; bridges to and from
    conventional PCI do not (``pci_for_each_dma_alias()`` in drivers/pci/search.c).
    """
    kind, product = bridge.pci.pcie_type, _product(bridge)
    if product in _TRANSLATION_ROOTS:
        return BridgeAlias.ROOT
    if not known(kind):
        return BridgeAlias.UNKNOWN
    if kind in (PciExpType.ROOT_PORT, PciExpType.UPSTREAM, PciExpType.DOWNSTREAM):
        return BridgeAlias.NONE
    if product == _PASSES_ON and kind == PciExpType.PCI_BRIDGE:
        version = version_of(value_or(machine.kernel.release, ""))
        if version is not None and version >= _PASSED_ON_SINCE:
            return BridgeAlias.NONE
    return BridgeAlias.TAKES_OVER
