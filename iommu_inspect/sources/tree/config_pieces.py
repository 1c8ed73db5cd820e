"""A configuration space of a running host, read in the pieces that tell something.

Each four bytes are a read of the device, about a microsecond on the bus; a kernel that
is asked for all of an express function reads 1024 times (``pci_read_config()`` in
drivers/pci/pci-sysfs.c). What is read here are the header, the two lists of
capabilities, and the registers of those that `sources/sysfs/pci_config.py` looks into.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from iommu_inspect.model.pci.registers import (
    PCI_CAPABILITY_LIST,
    PCI_CB_CAPABILITY_LIST,
    PCI_CFG_SPACE_EXP_SIZE,
    PCI_CFG_SPACE_SIZE,
    PCI_FIND_CAP_TTL,
    PCI_HEADER_TYPE,
    PCI_HEADER_TYPE_MASK,
    PCI_STATUS,
    PCI_STATUS_CAP_LIST,
    PCI_STD_HEADER_SIZEOF,
)
from iommu_inspect.model.pci.regs import PciCapId, PciExtCapId, PciHeaderType

__all__ = ["read_pieces"]

_ENTRY = 4
_MAX_EXTENDED = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) // 8
# How much of a capability is looked into: up to the slot's capabilities, Intel's wide
# ACS control, the device id of virtual functions.
_SIZES: Mapping[int, int] = {PciCapId.EXP: 0x18}
_EXTENDED_SIZES: Mapping[int, int] = {
    PciExtCapId.ACS: 0x0C,
    PciExtCapId.SRIOV: 0x1C,
}

Pread = Callable[[int, int], bytes]


def read_pieces(pread: Pread) -> bytes:
    """Return the bytes that tell something, each in its place, and zeros between them.

    ``pread`` is given a number of bytes and an offset, and returns fewer at the end.
    What is returned ends with the last piece; it tells the same as all bytes would.

    Raises:
        OSError: the device could not be read.
    """
    content = bytearray(pread(PCI_STD_HEADER_SIZEOF, 0))
    if len(content) < PCI_STD_HEADER_SIZEOF:
        return bytes(content)

    def take(size: int, offset: int) -> bytes:
        piece = pread(size, offset)
        if piece:
            content.extend(bytes(max(0, offset + len(piece) - len(content))))
            content[offset : offset + len(piece)] = piece
        return piece

    if _take_list(content, take):
        _take_extended(take)
    behind = content[PCI_STD_HEADER_SIZEOF:]
    if behind and not any(behind):
        # As if nobody had read there: only all of it tells that somebody has.
        return pread(PCI_CFG_SPACE_EXP_SIZE, 0)
    return bytes(content)


def _take_list(header: bytes | bytearray, take: Pread) -> bool:
    """Read the capabilities; say whether there is one of PCI Express."""
    if not header[PCI_STATUS] & PCI_STATUS_CAP_LIST:
        return False
    kind = header[PCI_HEADER_TYPE] & PCI_HEADER_TYPE_MASK
    is_cardbus = kind == PciHeaderType.CARDBUS
    offset = header[PCI_CB_CAPABILITY_LIST if is_cardbus else PCI_CAPABILITY_LIST]
    express = False
    for _ in range(PCI_FIND_CAP_TTL):
        offset &= ~0x3
        if offset < PCI_STD_HEADER_SIZEOF:
            break
        entry = take(_ENTRY, offset)
        if len(entry) < _ENTRY or entry[0] == 0xFF:
            break
        size = _SIZES.get(entry[0])
        if size is not None:
            take(size - _ENTRY, offset + _ENTRY)
            express = True
        offset = entry[1]
    return express


def _take_extended(take: Pread) -> None:
    offset = PCI_CFG_SPACE_SIZE
    for _ in range(_MAX_EXTENDED):
        entry = take(_ENTRY, offset)
        identity, link = (
            int.from_bytes(entry[place : place + 2], "little") for place in (0, 2)
        )
        if len(entry) < _ENTRY or identity == link == 0xFFFF:
            break
        size = _EXTENDED_SIZES.get(identity)
        if size is not None:
            take(size - _ENTRY, offset + _ENTRY)
        offset = link >> 4 & ~0x3
        if offset < PCI_CFG_SPACE_SIZE:
            break
