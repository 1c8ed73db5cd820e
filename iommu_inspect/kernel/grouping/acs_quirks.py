"""Functions that the kernel takes for isolated though their registers do not say so.

The ids are those of ``pci_dev_acs_enabled[]`` in drivers/pci/quirks.c, 132 entries,
read in v5.10, v6.1, v6.12 and v7.3, which have the same; the decisions are those of
the handlers there.
"""

from __future__ import annotations

import enum

from iommu_inspect.model.device import Acs, Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.pci.regs import (
    PCI_ACS_CR,
    PCI_ACS_EC,
    PCI_ACS_RR,
    PCI_ACS_SV,
    PCI_ACS_UF,
    PCI_CLASS_BRIDGE_PCI,
    PCI_CLASS_SERIAL_USB,
    PCI_VENDOR_ID_AMD,
    PCI_VENDOR_ID_ATI,
    PCI_VENDOR_ID_INTEL,
    PciExpType,
)

__all__ = ["REQUIRED_ACS", "Quirk", "acs_quirk", "has_required", "has_wide_controls"]

# REQ_ACS_FLAGS of drivers/iommu/iommu.c.
REQUIRED_ACS = PCI_ACS_SV | PCI_ACS_RR | PCI_ACS_CR | PCI_ACS_UF

_CAVIUM, _ANNAPURNA, _ZHAOXIN, _WANGXUN = 0x177D, 0x1C36, 0x1D17, 0x8088


class Quirk(enum.Enum):
    """What the kernel's table of quirks says about a function.

    ``PERHAPS_ISOLATED``: isolated, or what its registers say. With ``UNKNOWN`` even
    one whose registers say that it isolates may not.
    """

    NONE = "none"
    ISOLATED = "isolated"
    NOT_ISOLATED = "not-isolated"
    PERHAPS_ISOLATED = "perhaps-isolated"
    UNKNOWN = "unknown"


# Endpoints whose vendor says that they do no peer-to-peer between functions, and root
# ports that cannot reach each other: isolated whatever their registers say.
_ISOLATED: dict[int, frozenset[int]] = {
    0x0014: frozenset(
        {
            0x3C09,
            0x3C19,
            0x3C29,
            0x7A09,
            0x7A19,
            0x7A29,
            0x7A39,
            0x7A49,
            0x7A59,
            0x7A69,
        }
    ),
    0x10DF: frozenset(
        {
            0x0720,
        }
    ),
    0x10E8: frozenset(
        {
            0xE004,
        }
    ),
    0x14E4: frozenset(
        {
            0x16D7,
            0x1750,
            0x1751,
            0x1752,
            0x1760,
            0x1761,
            0x1762,
            0x1763,
            0xD714,
        }
    ),
    0x177D: frozenset(
        {
            0xA026,
            0xA059,
            0xA060,
        }
    ),
    0x17CB: frozenset(
        {
            0x0111,
            0x0115,
            0x0120,
            0x0400,
            0x0401,
        }
    ),
    0x1924: frozenset(
        {
            0x0903,
            0x0923,
            0x0A03,
        }
    ),
    0x1957: frozenset(
        {
            0x8D80,
            0x8D81,
            0x8D82,
            0x8D83,
            0x8D88,
            0x8D89,
            0x8D8A,
            0x8D8B,
            0x8D90,
            0x8D91,
            0x8D92,
            0x8D93,
            0x8D98,
            0x8D99,
            0x8D9A,
            0x8D9B,
            0x8DA0,
            0x8DA1,
            0x8DA8,
            0x8DA9,
            0x8DB0,
            0x8DB1,
            0x8DB8,
            0x8DB9,
        }
    ),
    0x19A2: frozenset(
        {
            0x0710,
        }
    ),
    0x1D17: frozenset(
        {
            0x3038,
            0x3104,
            0x9083,
        }
    ),
    0x1DBF: frozenset(
        {
            0x0401,
        }
    ),
    0x1DEF: frozenset(
        {
            0xE005,
            0xE006,
            0xE007,
            0xE008,
            0xE009,
            0xE00A,
            0xE00B,
            0xE00C,
        }
    ),
    PCI_VENDOR_ID_INTEL: frozenset(
        {
            0x105E,
            0x105F,
            0x1060,
            0x10A7,
            0x10A9,
            0x10C6,
            0x10C9,
            0x10D6,
            0x10D9,
            0x10DB,
            0x10DD,
            0x10E1,
            0x10E6,
            0x10E7,
            0x10E8,
            0x10F1,
            0x10F7,
            0x10F8,
            0x10F9,
            0x10FA,
            0x10FB,
            0x10FC,
            0x1507,
            0x1509,
            0x150A,
            0x150D,
            0x150E,
            0x150F,
            0x1510,
            0x1511,
            0x1514,
            0x1516,
            0x1518,
            0x151C,
            0x1521,
            0x1522,
            0x1523,
            0x1524,
            0x1526,
            0x1527,
            0x1529,
            0x152A,
            0x154D,
            0x154F,
            0x1551,
            0x1558,
            0x15B7,
            0x15B8,
        }
    ),
}
# South bridge functions of AMD, isolated where an IVRS table describes an IOMMU.
_AMD_SOUTH_BRIDGE = {
    PCI_VENDOR_ID_ATI: frozenset({0x4383, 0x4384, 0x4385, 0x4399, 0x439C, 0x439D}),
    PCI_VENDOR_ID_AMD: frozenset({0x7809, 0x780F}),
}


def _ids(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(i for first, last in ranges for i in range(first, last + 1))


# Root ports of Intel's PCHs whose isolation the kernel sets up itself, out of sight
# ("Intel PCH root port ACS workaround enabled" in its log, if it worked).
_INTEL_PCH = _ids(
    *((0x1C10, 0x1C1F), (0x1E10, 0x1E1F), (0x3B42, 0x3B51), (0x8C10, 0x8C1F)),
    *((0x8D10, 0x8D1E), (0x9C10, 0x9C1B), (0x9C90, 0x9C9B)),
) | frozenset({*range(0x1D10, 0x1D1F, 2), *range(0x8C90, 0x8C9F, 2)})
# Root ports of Intel's 100 and 200 series: double-word ACS registers, the control one
# at offset 8.
_INTEL_WIDE = _ids(
    (0xA110, 0xA11F),
    (0xA167, 0xA16A),
    (0xA290, 0xA29F),
    (0xA2E7, 0xA2EE),
    (0x9D10, 0x9D1B),
)
_CAVIUM_PORTS = _ids((0xA000, 0xA7FF)) | {0xAF84, 0xB884}
_ZHAOXIN_PORTS = _ids((0x0710, 0x071E), (0x0723, 0x0752)) | {0x0721}
_WANGXUN_NICS = _ids((0x0100, 0x010F)) | frozenset(
    {0x1001, 0x2001, 0x5010, 0x5025, 0x5040, 0x5110, 0x5125, 0x5140}
)

# What the entries of two makers are: network controllers of Intel's; of AMD's south
# bridges USB controllers and bridges (pci.ids names the ids above).
_KINDS = {
    PCI_VENDOR_ID_INTEL: frozenset({0x0200, 0x0280}),
    PCI_VENDOR_ID_AMD: frozenset({PCI_CLASS_SERIAL_USB, PCI_CLASS_BRIDGE_PCI}),
}
# Makers of whom more is asked than whether an id is in the list above.
_WITH_RULES = (PCI_VENDOR_ID_INTEL, _CAVIUM, _ANNAPURNA, _ZHAOXIN, _WANGXUN)
_PORTS = (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM)


def has_required(acs: Acs) -> bool:
    """Say whether the required controls are on; one not implemented counts as on."""
    return _satisfied(acs.capability, acs.control)


def _satisfied(capability: int, control: int) -> bool:
    wanted = REQUIRED_ACS & (capability | PCI_ACS_EC)
    return control & wanted == wanted


def acs_quirk(
    device: Device,
    *,
    on_root_bus: bool | None,
    has_ivrs: bool | None,
    asked: bool = False,
) -> Quirk:
    """Look a function up.

    Args:
        device: The function.
        on_root_bus: Whether no bridge is above it; ``None`` if that is not known.
        has_ivrs: Whether firmware has an IVRS table; ``None`` if that is not known.
        asked: Suppose that the kernel set the function up while an IOMMU was at work,
            and switched its ACS on.
    """
    vendor, product, kind = device.ids.vendor, device.ids.device, device.pci.pcie_type
    if not known(vendor):
        return Quirk.UNKNOWN
    if not known(product):
        return _of_vendor(device, vendor, on_root_bus, asked=asked)
    if product in _ISOLATED.get(vendor, ()):
        return Quirk.ISOLATED
    if product in _AMD_SOUTH_BRIDGE.get(vendor, ()):
        return _amd_south_bridge(device, on_root_bus, has_ivrs)
    if vendor not in _WITH_RULES:
        return Quirk.NONE
    if vendor == _WANGXUN:
        return _either(product in _WANGXUN_NICS)
    if not known(kind):
        return _of_vendor(device, vendor, on_root_bus, asked=asked)
    if vendor == PCI_VENDOR_ID_INTEL:
        return _intel(device, product, kind, asked=asked)
    if vendor == _ZHAOXIN:
        if kind not in _PORTS:
            return Quirk.NONE
        return _either(product in _ZHAOXIN_PORTS)
    ports = _CAVIUM_PORTS if vendor == _CAVIUM else {0x0031}
    isolated = kind == PciExpType.ROOT_PORT and product in ports
    return Quirk.ISOLATED if isolated else Quirk.NONE


def has_wide_controls(device: Device) -> bool:
    """Say whether the controls of a port are not where the capability has them.

    What lspci and the fields of the registers call the control is then no control.
    """
    ids = device.ids
    wide = known(ids.device) and ids.device in _INTEL_WIDE
    return ids.vendor == PCI_VENDOR_ID_INTEL and wide


def _of_vendor(
    device: Device, vendor: int, on_root_bus: bool | None, *, asked: bool
) -> Quirk:
    """Say what can be said of a function of which only the maker is known, or no type.

    No more than that it may be isolated, where no entry of the maker's takes isolation
    away.
    """
    kind = device.pci.pcie_type
    if vendor == _WANGXUN:
        return Quirk.UNKNOWN
    if vendor == _ZHAOXIN and (not known(kind) or kind in _PORTS):
        return Quirk.UNKNOWN
    if vendor == PCI_VENDOR_ID_INTEL:
        if kind == PciExpType.RC_END:
            return Quirk.ISOLATED
        if not asked and (not known(kind) or kind == PciExpType.ROOT_PORT):
            return Quirk.UNKNOWN  # its controls may be elsewhere
        if kind == PciExpType.ROOT_PORT or not known(kind):
            return Quirk.PERHAPS_ISOLATED  # of a PCH
    south = vendor in _AMD_SOUTH_BRIDGE and on_root_bus is not False
    listed = vendor in _ISOLATED or south
    if listed and _of_another_kind(device, vendor):
        return Quirk.NONE
    return Quirk.PERHAPS_ISOLATED if listed or vendor in _WITH_RULES else Quirk.NONE


def _of_another_kind(device: Device, vendor: int) -> bool:
    """Say whether a function is of none of the kinds that a maker's entries are of."""
    kinds, base = _KINDS.get(vendor), device.base_class
    return kinds is not None and known(base) and base not in kinds


def _either(isolated: bool) -> Quirk:
    return Quirk.ISOLATED if isolated else Quirk.NOT_ISOLATED


def _amd_south_bridge(
    device: Device, on_root_bus: bool | None, has_ivrs: bool | None
) -> Quirk:
    if device.pci.multifunction is False or False in (on_root_bus, has_ivrs):
        return Quirk.NONE
    if device.pci.multifunction is True and on_root_bus and has_ivrs:
        return Quirk.ISOLATED
    return Quirk.PERHAPS_ISOLATED


def _intel(device: Device, product: int, kind: int | None, *, asked: bool) -> Quirk:
    if kind == PciExpType.RC_END:
        return Quirk.ISOLATED
    if kind != PciExpType.ROOT_PORT:
        return Quirk.NONE
    if product in _INTEL_PCH:
        return Quirk.PERHAPS_ISOLATED
    if product not in _INTEL_WIDE:
        return Quirk.NONE
    acs = device.pci.acs
    if acs is None or asked:
        # Asked, the kernel switches on what the capability has, in the controls of
        # these ports (pci_quirk_enable_intel_spt_pch_acs() in drivers/pci/quirks.c).
        return Quirk.NONE
    if not known(acs) or acs.wide_control is None:
        return Quirk.UNKNOWN
    return _either(_satisfied(acs.capability, acs.wide_control))
