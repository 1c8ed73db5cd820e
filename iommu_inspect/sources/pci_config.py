"""PCI configuration space: bytes in, facts out. The bytes are never trusted."""

from __future__ import annotations

from iommu_inspect.model.fact import Fact, Missing

__all__ = ["find_capability", "header_type", "multifunction", "pcie_type"]

_STATUS = 0x06
_STATUS_CAPABILITY_LIST = 0x10
_HEADER_TYPE = 0x0E
_CAPABILITY_POINTER = {0: 0x34, 1: 0x34, 2: 0x14}
_CAPABILITY_PCIE = 0x10
_FIRST_CAPABILITY = 0x40
_MAX_CAPABILITIES = 48


def _answers(config: bytes) -> bool:
    """Say whether a device answered: a sleeping or absent one reads as all ones."""
    return config[:4] != b"\xff\xff\xff\xff"


def _byte(config: bytes, offset: int) -> Fact[int]:
    if not _answers(config):
        return Missing.UNREADABLE
    return config[offset] if offset < len(config) else Missing.TRUNCATED


def header_type(config: bytes) -> Fact[int]:
    """Return the header type without the multi-function bit."""
    value = _byte(config, _HEADER_TYPE)
    return value if isinstance(value, Missing) else value & 0x7F


def multifunction(config: bytes) -> Fact[bool]:
    """Return the multi-function bit of the header type register."""
    value = _byte(config, _HEADER_TYPE)
    return value if isinstance(value, Missing) else bool(value & 0x80)


def find_capability(config: bytes, wanted: int) -> Fact[int | None]:
    """Return the offset of a capability in the first 256 bytes.

    ``None``: the list was followed to its end and does not hold it. ``TRUNCATED``:
    the list goes on where the bytes end, as they do for users without
    CAP_SYS_ADMIN after 64. ``UNREADABLE``: the list is broken.
    """
    status = _byte(config, _STATUS)
    header = header_type(config)
    if isinstance(status, Missing):
        return status
    if isinstance(header, Missing):
        return header
    if not status & _STATUS_CAPABILITY_LIST:
        return None
    pointer = _CAPABILITY_POINTER.get(header)
    if pointer is None:
        return Missing.UNREADABLE
    if _is_padding(config):
        config = config[:_FIRST_CAPABILITY]
    return _follow(config, pointer, wanted)


def _is_padding(config: bytes) -> bool:
    """Say whether nothing was read behind the first 64 bytes.

    Archivers that believe the size sysfs reports fill the rest with zeros.
    """
    return len(config) > _FIRST_CAPABILITY and not any(config[_FIRST_CAPABILITY:])


def _follow(config: bytes, pointer: int, wanted: int) -> Fact[int | None]:
    for _ in range(_MAX_CAPABILITIES):
        offset = _byte(config, pointer)
        if isinstance(offset, Missing):
            return offset
        offset &= ~0x3
        if offset == 0:
            return None
        if offset < _FIRST_CAPABILITY:
            return Missing.UNREADABLE
        identity = _byte(config, offset)
        if isinstance(identity, Missing):
            return identity
        if identity == 0xFF:
            return Missing.UNREADABLE
        if identity == wanted:
            return offset
        pointer = offset + 1
    return Missing.UNREADABLE


def pcie_type(config: bytes) -> Fact[int | None]:
    """Return the device/port type, ``None`` without a PCI Express capability."""
    offset = find_capability(config, _CAPABILITY_PCIE)
    if offset is None or isinstance(offset, Missing):
        return offset
    flags = _byte(config, offset + 2)
    return flags if isinstance(flags, Missing) else flags >> 4
