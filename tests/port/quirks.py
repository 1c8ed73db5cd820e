"""The tables of drivers/pci/quirks.c of v7.3 that grouping asks, in their own order."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from port.source import Dev

__all__ = [
    "ACS_ENABLED",
    "ALIAS_IDS",
    "AMD",
    "ATI",
    "BRIDGE_IDS",
    "BRIDGE_XLATE_ROOT",
    "PCI_BRIDGE_NO_ALIAS",
    "QUIRK_IDS",
    "dma_alias_mask",
    "pci_dev_specific_acs_enabled",
    "pci_disable_broken_acs_cap",
]

SV, TB, RR, CR, UF, EC, DT = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
ROOT_PORT, DOWNSTREAM, RC_END = 4, 6, 9

ATI, AMD, SOLARFLARE, INTEL, QCOM, HXT = 0x1002, 0x1022, 0x1924, 0x8086, 0x17CB, 0x1DBF
CAVIUM, AMCC, AMPERE, BROADCOM, LOONGSON = 0x177D, 0x10E8, 0x1DEF, 0x14E4, 0x0014
ANNAPURNA, ZHAOXIN, NXP, WANGXUN, IDT = 0x1C36, 0x1D17, 0x1957, 0x8088, 0x111D

BRIDGE_XLATE_ROOT = {(BROADCOM, 0x9000), (BROADCOM, 0x9084)}
PCI_BRIDGE_NO_ALIAS = {(0x1A03, 0x1150)}

Entry = tuple[int, int, "Handler"]
Handler = Callable[["Dev", int], "bool | None"]
"""What a handler returns: an answer, or ``None`` for -ENOTTY and -ENODEV."""


def _masks(enabled: int) -> Handler:
    def handler(_dev: Dev, acs_flags: int) -> bool:
        return acs_flags & enabled == acs_flags

    return handler


_PORT = _masks(SV | RR | CR | UF)
_MF_ENDPOINT = _masks(SV | TB | RR | CR | UF | DT)


def _amd_sb(dev: Dev, acs_flags: int) -> bool | None:
    if not dev.multifunction or dev.bus.parent is not None or not dev.ivrs:
        return None
    acs_flags &= RR | CR | EC | DT
    return acs_flags & (RR | CR) == acs_flags


def _rciep(dev: Dev, acs_flags: int) -> bool | None:
    return _PORT(dev, acs_flags) if dev.pcie_type == RC_END else None


_PCH = {
    *range(0x3B42, 0x3B52),
    *range(0x1C10, 0x1C20),
    *range(0x1E10, 0x1E20),
    *range(0x8C10, 0x8C20),
    *range(0x9C10, 0x9C1C),
    *range(0x9C90, 0x9C9C),
    *range(0x1D10, 0x1D20, 2),
    *range(0x8D10, 0x8D1F),
    *range(0x8C90, 0x8CA0, 2),
}


def _pch(dev: Dev, acs_flags: int) -> bool | None:
    """With PCI_DEV_FLAGS_ACS_ENABLED_QUIRK, which the kernel sets as it enables ACS."""
    if dev.pcie_type != ROOT_PORT or dev.device not in _PCH:
        return None
    return _PORT(dev, acs_flags)


def _cavium(dev: Dev, acs_flags: int) -> bool | None:
    ids = {*range(0xA000, 0xA800), 0xAF84, 0xB884}
    if dev.pcie_type != ROOT_PORT or dev.device not in ids:
        return None
    return _PORT(dev, acs_flags)


def _annapurna(dev: Dev, acs_flags: int) -> bool | None:
    return _PORT(dev, acs_flags) if dev.pcie_type == ROOT_PORT else None


def _zhaoxin(dev: Dev, acs_flags: int) -> bool | None:
    if dev.pcie_type not in (ROOT_PORT, DOWNSTREAM):
        return None
    ids = {*range(0x0710, 0x071F), 0x0721, *range(0x0723, 0x0753)}
    return dev.device in ids and _PORT(dev, acs_flags)


def _wangxun(dev: Dev, acs_flags: int) -> bool | None:
    ids = {*range(0x0100, 0x0110), 0x1001, 0x2001}
    ids |= {0x5010, 0x5025, 0x5040, 0x5110, 0x5125, 0x5140}
    return dev.device in ids and _PORT(dev, acs_flags)


def _each(vendor: int, handler: Handler, *devices: int) -> list[Entry]:
    return [(vendor, device, handler) for device in devices]


_ANY = -1
# Without the entry of Intel's ports with wide registers (pci_quirk_intel_spt_pch_acs):
# what those hold is no fact of the program's, and none of them is made here.
ACS_ENABLED = [
    *_each(ATI, _amd_sb, 0x4385, 0x439C, 0x4383, 0x439D, 0x4384, 0x4399),
    *_each(AMD, _amd_sb, 0x780F, 0x7809),
    *_each(SOLARFLARE, _MF_ENDPOINT, 0x0903, 0x0923, 0x0A03),
    *_each(INTEL, _MF_ENDPOINT, 0x10C6, 0x10DB, 0x10DD, 0x10E1, 0x10F1, 0x10F7),
    *_each(INTEL, _MF_ENDPOINT, *range(0x10F8, 0x10FD), 0x1507, 0x1514, 0x151C),
    *_each(INTEL, _MF_ENDPOINT, 0x1529, 0x152A, 0x154D, 0x154F, 0x1551, 0x1558),
    *_each(INTEL, _MF_ENDPOINT, 0x1509, 0x150E, 0x150F, 0x1510, 0x1511, 0x1516),
    *_each(INTEL, _MF_ENDPOINT, 0x1527, 0x10C9, 0x10E6, 0x10E7, 0x10E8, 0x150A),
    *_each(INTEL, _MF_ENDPOINT, 0x150D, 0x1518, 0x1526, 0x10A7, 0x10A9, 0x10D6),
    *_each(INTEL, _MF_ENDPOINT, *range(0x1521, 0x1525), 0x105E, 0x105F, 0x1060),
    *_each(INTEL, _MF_ENDPOINT, 0x10D9, 0x15B7, 0x15B8),
    *_each(INTEL, _rciep, _ANY),
    *_each(QCOM, _PORT, 0x0400, 0x0401, 0x0115, 0x0111, 0x0120),
    *_each(HXT, _PORT, 0x0401),
    *_each(INTEL, _pch, _ANY),
    *_each(0x19A2, _MF_ENDPOINT, 0x0710),
    *_each(0x10DF, _MF_ENDPOINT, 0x0720),
    *_each(CAVIUM, _cavium, _ANY),
    *_each(CAVIUM, _MF_ENDPOINT, 0xA026, 0xA059, 0xA060),
    *_each(AMCC, _PORT, 0xE004),
    *_each(AMPERE, _PORT, *range(0xE005, 0xE00D)),
    *_each(BROADCOM, _MF_ENDPOINT, 0x16D7, *range(0x1750, 0x1753)),
    *_each(BROADCOM, _MF_ENDPOINT, *range(0x1760, 0x1764)),
    *_each(BROADCOM, _PORT, 0xD714),
    *_each(LOONGSON, _PORT, 0x3C09, 0x3C19, 0x3C29, *range(0x7A09, 0x7A6A, 0x10)),
    *_each(ANNAPURNA, _annapurna, 0x0031),
    *_each(ZHAOXIN, _MF_ENDPOINT, 0x3038, 0x3104, 0x9083),
    *_each(NXP, _PORT, 0x8D81, 0x8DA1, 0x8D83, 0x8D80, 0x8DA0, 0x8D82, 0x8D90),
    *_each(NXP, _PORT, 0x8DB0, 0x8D92, 0x8D91, 0x8DB1, 0x8D93, 0x8D89, 0x8DA9),
    *_each(NXP, _PORT, 0x8D8B, 0x8D88, 0x8DA8, 0x8D8A, 0x8D98, 0x8DB8, 0x8D9A),
    *_each(NXP, _PORT, 0x8D99, 0x8DB9, 0x8D9B),
    *_each(ZHAOXIN, _zhaoxin, _ANY),
    *_each(WANGXUN, _wangxun, _ANY),
]


def pci_dev_specific_acs_enabled(dev: Dev, acs_flags: int) -> bool | None:
    """Ask each entry that fits until one answers."""
    for vendor, device, handler in ACS_ENABLED:
        if vendor == dev.vendor and device in (dev.device, _ANY):
            answer = handler(dev, acs_flags)
            if answer is not None:
                return answer
    return None


def pci_disable_broken_acs_cap(ids: tuple[int, int], capabilities: int) -> int:
    return capabilities & ~SV if ids in _BROKEN else capabilities


_BROKEN = {(IDT, 0x80B5), (IDT, 0x8090)}

_FUNC0 = {(0x1180, 0xE832), (0x1180, 0xE476), (0x6766, 0x3D40), (0x6766, 0x3D41)}
_FUNC1 = {
    *((0x1B4B, each) for each in (0x9120, 0x9123, 0x9125, 0x9128, 0x9130, 0x9170)),
    *((0x1B4B, each) for each in (0x9172, 0x917A, 0x9182, 0x9183, 0x91A0, 0x9215)),
    *((0x1B4B, each) for each in (0x9220, 0x9230, 0x9235)),
    *((0x1103, 0x0642), (0x1103, 0x0645), (0x197B, 0x2392), (0x1C28, 0x0122)),
}
_MIC = {(INTEL, 0x2260), (INTEL, 0x2264)}
_VCA = {(INTEL, each) for each in (0x2954, 0x2955, 0x2956, 0x2958, 0x2959, 0x295A)}
_NTB = {(0x10B5, 0x87B0), (0x10B5, 0x87B1)}
_FIXED = {(0x9005, 0x0285)}


def dma_alias_mask(dev: Dev) -> frozenset[int]:
    """Return what the fixups of a function's header put into ``dma_alias_mask``."""
    slot = dev.devfn & ~7
    if dev.ids in _FUNC0 and dev.devfn & 7 != 0:
        return frozenset([slot])
    if dev.ids in _FUNC1 and dev.devfn & 7 != 1:
        return frozenset([slot | 1])
    subsystem = dev.subsystem_vendor, dev.subsystem_device
    if dev.ids in _FIXED and subsystem in ((0x9005, 0x02BB), (0x9005, 0x02BC)):
        return frozenset([0x08])
    if dev.ids in _MIC:
        return frozenset([0x80, 0x88, 0x93])
    if dev.ids in _VCA:
        return frozenset(8 * slot + each for slot in range(32) for each in range(5))
    return frozenset(range(256)) if dev.ids in _NTB else frozenset()


ALIAS_IDS = tuple(sorted({*_FUNC0, *_FUNC1, *_MIC, *_VCA, *_NTB, *_FIXED}))
"""Functions whose requests carry other ids."""
BRIDGE_IDS = tuple(sorted({*_BROKEN, *BRIDGE_XLATE_ROOT, *PCI_BRIDGE_NO_ALIAS}))
"""Bridges that do something of their own."""
QUIRK_IDS: tuple[tuple[int, int], ...] = tuple(
    sorted(
        {(vendor, device) for vendor, device, _ in ACS_ENABLED if device != _ANY}
        | {(INTEL, device) for device in _PCH}
        | {(CAVIUM, each) for each in (0xA000, 0xA7FF, 0xA800, 0xAF84, 0xB884)}
        | {(ZHAOXIN, each) for each in (0x070F, 0x0710, 0x0721, 0x0722, 0x0752, 0x0753)}
        | {(WANGXUN, each) for each in (0x0100, 0x010F, 0x0110, 0x1001, 0x5140)}
        | {(INTEL, 0x0001), *ALIAS_IDS, *BRIDGE_IDS}
    )
)
"""Every id that a table names, and some beside them."""
