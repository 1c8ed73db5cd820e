"""The ids in the kernel's table of functions that isolate whatever registers say.

Those of ``pci_dev_acs_enabled[]`` in drivers/pci/quirks.c, 132 entries, read in v5.10,
v6.1, v6.12 and v7.3, which have the same; by vendor. What follows from them is in
``quirks.py``.
"""

from __future__ import annotations

from iommu_inspect.model.pci.regs import (
    PCI_VENDOR_ID_AMD,
    PCI_VENDOR_ID_ATI,
    PCI_VENDOR_ID_INTEL,
)

__all__ = [
    "AMD_SOUTH_BRIDGE",
    "ANNAPURNA",
    "BROKEN_SOURCE_VALIDATION",
    "CAVIUM",
    "CAVIUM_PORTS",
    "INTEL_PCH",
    "INTEL_WIDE",
    "ISOLATED",
    "WANGXUN",
    "WANGXUN_NICS",
    "ZHAOXIN",
    "ZHAOXIN_PORTS",
]

CAVIUM, ANNAPURNA, ZHAOXIN, WANGXUN = 0x177D, 0x1C36, 0x1D17, 0x8088

# Endpoints whose vendor says that they do no peer-to-peer between functions, and root
# ports that cannot reach each other: isolated whatever their registers say.
ISOLATED: dict[int, frozenset[int]] = {
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
# Switches of IDT whose source validation the kernel does not use.
BROKEN_SOURCE_VALIDATION = frozenset({(0x111D, 0x80B5), (0x111D, 0x8090)})

# South bridge functions of AMD, isolated where an IVRS table describes an IOMMU.
AMD_SOUTH_BRIDGE = {
    PCI_VENDOR_ID_ATI: frozenset({0x4383, 0x4384, 0x4385, 0x4399, 0x439C, 0x439D}),
    PCI_VENDOR_ID_AMD: frozenset({0x7809, 0x780F}),
}


def _ids(*ranges: tuple[int, int]) -> frozenset[int]:
    return frozenset(i for first, last in ranges for i in range(first, last + 1))


# Root ports of Intel's PCHs whose isolation the kernel sets up itself, out of sight
# ("Intel PCH root port ACS workaround enabled" in its log, if it worked).
INTEL_PCH = _ids(
    *((0x1C10, 0x1C1F), (0x1E10, 0x1E1F), (0x3B42, 0x3B51), (0x8C10, 0x8C1F)),
    *((0x8D10, 0x8D1E), (0x9C10, 0x9C1B), (0x9C90, 0x9C9B)),
) | frozenset({*range(0x1D10, 0x1D1F, 2), *range(0x8C90, 0x8C9F, 2)})
# Root ports of Intel's 100 and 200 series: double-word ACS registers, the control one
# at offset 8.
INTEL_WIDE = _ids(
    (0xA110, 0xA11F),
    (0xA167, 0xA16A),
    (0xA290, 0xA29F),
    (0xA2E7, 0xA2EE),
    (0x9D10, 0x9D1B),
)
CAVIUM_PORTS = _ids((0xA000, 0xA7FF)) | {0xAF84, 0xB884}
ZHAOXIN_PORTS = _ids((0x0710, 0x071E), (0x0723, 0x0752)) | {0x0721}
WANGXUN_NICS = _ids((0x0100, 0x010F)) | frozenset(
    {0x1001, 0x2001, 0x5010, 0x5025, 0x5040, 0x5110, 0x5125, 0x5140}
)
