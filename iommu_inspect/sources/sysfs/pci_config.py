"""PCI configuration space: bytes in, facts out. The bytes are never trusted."""

from __future__ import annotations

from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.machine import Acs, PciIds, SrIov

__all__ = [
    "acs",
    "buses_below",
    "enabled_vfs",
    "find_capability",
    "find_extended_capability",
    "header_type",
    "hotplug_slot",
    "identity",
    "multifunction",
    "pcie_type",
    "secondary_bus",
    "sriov",
]

_STATUS = 0x06
_STATUS_CAPABILITY_LIST = 0x10
_HEADER_TYPE = 0x0E
_CAPABILITY_POINTER = {0: 0x34, 1: 0x34, 2: 0x14}
_CAPABILITY_PCIE = 0x10
_FIRST_CAPABILITY = 0x40
_MAX_CAPABILITIES = 48
_CONVENTIONAL_SIZE = 0x100
_MAX_EXTENDED_CAPABILITIES = (0x1000 - 0x100) // 8
_EXTENDED_ACS = 0x000D
_EXTENDED_SRIOV = 0x0010
_PCIE_FLAGS_SLOT = 0x0100
_SLOT_CAPABILITIES = 0x14
_SLOT_HOTPLUG_CAPABLE = 0x40


def secondary_bus(config: bytes) -> Fact[int]:
    """Return the number of the bus below a bridge."""
    if header_type(config) not in (1, 2):
        return Missing.ABSENT
    return _byte(config, 0x19)


def buses_below(config: bytes) -> Fact[tuple[int, int]]:
    """Return the first and the last number of the buses below a bridge."""
    first, last = secondary_bus(config), _byte(config, 0x1A)
    if not known(first):
        return first
    return (first, last) if known(last) else last


def identity(config: bytes) -> PciIds:
    """Return the registers that identify a function; only a device has a subsystem.

    The ids of a virtual function are not in its configuration space.
    """

    def number(offset: int, size: int) -> Fact[int]:
        if not _answers(config):
            return Missing.UNREADABLE
        if offset + size > len(config):
            return Missing.TRUNCATED
        return int.from_bytes(config[offset : offset + size], "little")

    vendor, device = number(0, 2), number(2, 2)
    if vendor == device == 0xFFFF:
        vendor = device = Missing.TRUNCATED
    has_subsystem = header_type(config) == 0
    return PciIds(
        vendor,
        device,
        number(0x2C, 2) if has_subsystem else Missing.ABSENT,
        number(0x2E, 2) if has_subsystem else Missing.ABSENT,
        number(0x09, 3),
        number(0x08, 1),
    )


def _answers(config: bytes) -> bool:
    """Say whether a device answered: a sleeping or absent one reads as all ones.

    Virtual functions have ones in the ids alone (PCIe 6.0, 9.3.4.1.1).
    """
    return config[:4] != b"\xff\xff\xff\xff" or bool(config[4:64].strip(b"\xff"))


def _byte(config: bytes, offset: int) -> Fact[int]:
    if not _answers(config):
        return Missing.UNREADABLE
    return config[offset] if offset < len(config) else Missing.TRUNCATED


def header_type(config: bytes) -> Fact[int]:
    """Return the header type without the multi-function bit."""
    value = _byte(config, _HEADER_TYPE)
    return value & 0x7F if known(value) else value


def multifunction(config: bytes) -> Fact[bool]:
    """Return the multi-function bit of the header type register."""
    value = _byte(config, _HEADER_TYPE)
    return bool(value & 0x80) if known(value) else value


def find_capability(config: bytes, wanted: int) -> Fact[int | None]:
    """Return the offset of a capability in the first 256 bytes.

    ``None``: the list was followed to its end and does not hold it. ``TRUNCATED``:
    the list goes on where the bytes end, as they do for users without
    CAP_SYS_ADMIN after 64. ``UNREADABLE``: the list is broken.
    """
    status = _byte(config, _STATUS)
    header = header_type(config)
    if not known(status):
        return status
    if not known(header):
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
        if not known(offset):
            return offset
        offset &= ~0x3
        if offset == 0:
            return None
        if offset < _FIRST_CAPABILITY:
            return Missing.UNREADABLE
        identity = _byte(config, offset)
        if not known(identity):
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
    if offset is None or not known(offset):
        return offset
    flags = _byte(config, offset + 2)
    return flags >> 4 if known(flags) else flags


def _word(config: bytes, offset: int) -> Fact[int]:
    if offset + 2 > len(config):
        return Missing.TRUNCATED
    return int.from_bytes(config[offset : offset + 2], "little")


def hotplug_slot(config: bytes) -> Fact[bool]:
    """Say whether a port has a slot that is hot-plug capable."""
    offset = find_capability(config, _CAPABILITY_PCIE)
    if not known(offset):
        return offset
    if offset is None:
        return False
    flags = _word(config, offset + 2)
    slot = _word(config, offset + _SLOT_CAPABILITIES)
    if not known(flags):
        return flags
    if not flags & _PCIE_FLAGS_SLOT:
        return False
    return bool(slot & _SLOT_HOTPLUG_CAPABLE) if known(slot) else slot


def find_extended_capability(config: bytes, wanted: int) -> Fact[int | None]:
    """Return the offset of an extended capability (0x100 to 0xfff).

    ``None``: there is none. ``TRUNCATED``: the bytes end before one could be.
    ``UNREADABLE``: the list is broken or the device does not answer.
    """
    kind = pcie_type(config)
    if kind is None:
        return None  # a conventional device: PCI-X mode 2 apart, it has 256 bytes
    if not known(kind):
        return kind
    offset = _CONVENTIONAL_SIZE
    for _ in range(_MAX_EXTENDED_CAPABILITIES):
        identity, link = _word(config, offset), _word(config, offset + 2)
        if not known(identity) or not known(link):
            return Missing.TRUNCATED
        if identity == link == 0xFFFF:
            return Missing.UNREADABLE
        if identity == wanted:
            return offset
        following = link >> 4 & ~0x3
        if following == 0:
            return None
        if following < _CONVENTIONAL_SIZE:
            return Missing.UNREADABLE
        offset = following
    return Missing.UNREADABLE


def acs(config: bytes) -> Fact[Acs | None]:
    """Return the ACS registers, ``None`` without the capability."""
    offset = find_extended_capability(config, _EXTENDED_ACS)
    if offset is None or not known(offset):
        return offset
    capability, control = _word(config, offset + 4), _word(config, offset + 6)
    if not known(capability) or not known(control):
        return Missing.TRUNCATED
    wide = _word(config, offset + 8)
    return Acs(capability, control, wide if known(wide) else None)


def sriov(config: bytes) -> Fact[SrIov | None]:
    """Return what places virtual functions, ``None`` without the capability."""
    offset = find_extended_capability(config, _EXTENDED_SRIOV)
    if offset is None or not known(offset):
        return offset
    words = [_word(config, offset + where) for where in (0x0E, 0x14, 0x16)]
    numbers = [word for word in words if known(word)]
    if len(numbers) < len(words):
        return Missing.TRUNCATED
    total, first, stride = numbers
    return SrIov(total, first, stride, _word(config, offset + 0x1A))


def enabled_vfs(config: bytes) -> Fact[int]:
    """Return how many virtual functions are on, 0 without the capability."""
    offset = find_extended_capability(config, _EXTENDED_SRIOV)
    if not known(offset):
        return offset
    if offset is None:
        return 0
    control, number = _word(config, offset + 0x08), _word(config, offset + 0x10)
    if not known(control) or not known(number):
        return Missing.TRUNCATED
    return number if control & 1 else 0
