"""PCI configuration space: bytes in, facts out. The bytes are never trusted.

Registers have the names of include/uapi/linux/pci_regs.h.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from functools import cached_property

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Acs, PciIds, SrIov
from iommu_inspect.model.fact import Fact, Missing, complete, known, map_fact
from iommu_inspect.model.pci.registers import (
    INTEL_SPT_ACS_CTRL,
    PCI_ACS_CAP,
    PCI_ACS_CTRL,
    PCI_CAP_LIST_NEXT,
    PCI_CAPABILITY_LIST,
    PCI_CB_CAPABILITY_LIST,
    PCI_CFG_SPACE_EXP_SIZE,
    PCI_CFG_SPACE_SIZE,
    PCI_CLASS_PROG,
    PCI_DEVICE_ID,
    PCI_EXP_FLAGS,
    PCI_EXP_FLAGS_SLOT,
    PCI_EXP_FLAGS_TYPE,
    PCI_EXP_SLTCAP,
    PCI_EXP_SLTCAP_HPC,
    PCI_FIND_CAP_TTL,
    PCI_HEADER_TYPE,
    PCI_HEADER_TYPE_MASK,
    PCI_HEADER_TYPE_MFD,
    PCI_REVISION_ID,
    PCI_SECONDARY_BUS,
    PCI_SRIOV_CTRL,
    PCI_SRIOV_CTRL_VFE,
    PCI_SRIOV_NUM_VF,
    PCI_SRIOV_TOTAL_VF,
    PCI_SRIOV_VF_DID,
    PCI_SRIOV_VF_OFFSET,
    PCI_SRIOV_VF_STRIDE,
    PCI_STATUS,
    PCI_STATUS_CAP_LIST,
    PCI_STD_HEADER_SIZEOF,
    PCI_SUBORDINATE_BUS,
    PCI_SUBSYSTEM_ID,
    PCI_SUBSYSTEM_VENDOR_ID,
    PCI_VENDOR_ID,
)
from iommu_inspect.model.pci.regs import PciCapId, PciExtCapId, PciHeaderType

__all__ = ["Capabilities", "ConfigSpace"]

_POINTERS: Mapping[int, int] = {
    PciHeaderType.NORMAL: PCI_CAPABILITY_LIST,
    PciHeaderType.BRIDGE: PCI_CAPABILITY_LIST,
    PciHeaderType.CARDBUS: PCI_CB_CAPABILITY_LIST,
}
_BRIDGES = (PciHeaderType.BRIDGE, PciHeaderType.CARDBUS)
_WORDS = struct.Struct("<HH")
_MAX_EXTENDED = (PCI_CFG_SPACE_EXP_SIZE - PCI_CFG_SPACE_SIZE) // 8


@dataclass(frozen=True, slots=True)
class Capabilities:
    """Where the capabilities of one list are, by their ids, and where it ends.

    ``end`` is ``None`` where the list was followed to its end, ``TRUNCATED`` where it
    goes on behind the bytes (users without CAP_SYS_ADMIN are shown 64), and
    ``UNREADABLE`` where it is broken or the device does not answer.
    """

    offsets: Mapping[int, int]
    end: Fact[None]

    def find(self, wanted: int) -> Fact[int | None]:
        """Return the offset of a capability, or what its not being there means.

        ``None``: there is none. What the list broke off before may be there.
        """
        return self.offsets.get(wanted, self.end)


@dataclass(frozen=True)
class ConfigSpace:
    """The configuration space of one function; each list in it is walked once."""

    content: bytes

    @cached_property
    def _answers(self) -> bool:
        """Say whether a device answered: a sleeping or absent one reads as all ones.

        Virtual functions have ones in the ids alone (PCIe 6.0, 9.3.4.1.1).
        """
        return self.content[:4] != b"\xff\xff\xff\xff" or bool(
            self.content[4:PCI_STD_HEADER_SIZEOF].strip(b"\xff")
        )

    @property
    def answers(self) -> Fact[bool]:
        """Say whether the function answered; a few ones alone do not tell."""
        if len(self.content) < PCI_STD_HEADER_SIZEOF:
            return Missing.TRUNCATED
        return self._answers

    def _number(self, offset: int, size: int) -> Fact[int]:
        if not self._answers:
            return Missing.UNREADABLE
        if offset + size > len(self.content):
            return Missing.TRUNCATED
        return int.from_bytes(self.content[offset : offset + size], "little")

    def _byte(self, offset: int) -> Fact[int]:
        return self._number(offset, 1)

    def _word(self, offset: int) -> Fact[int]:
        return self._number(offset, 2)

    @property
    def header_type(self) -> Fact[int]:
        """The header type without the multi-function bit."""
        return map_fact(self._byte(PCI_HEADER_TYPE), lambda v: v & PCI_HEADER_TYPE_MASK)

    @property
    def multifunction(self) -> Fact[bool]:
        """The multi-function bit of the header type register."""
        value = self._byte(PCI_HEADER_TYPE)
        return map_fact(value, lambda v: bool(v & PCI_HEADER_TYPE_MFD))

    @property
    def identity(self) -> PciIds:
        """The registers that identify a function; only a device has a subsystem.

        The ids of a virtual function are not in its configuration space.
        """
        vendor, device = self._word(PCI_VENDOR_ID), self._word(PCI_DEVICE_ID)
        if vendor == device == 0xFFFF:
            vendor = device = Missing.TRUNCATED
        normal = self.header_type == PciHeaderType.NORMAL
        return PciIds(
            vendor,
            device,
            self._word(PCI_SUBSYSTEM_VENDOR_ID) if normal else Missing.ABSENT,
            self._word(PCI_SUBSYSTEM_ID) if normal else Missing.ABSENT,
            self._number(PCI_CLASS_PROG, 3),
            self._byte(PCI_REVISION_ID),
        )

    @property
    def secondary_bus(self) -> Fact[int]:
        """The number of the bus below a bridge."""
        if self.header_type not in _BRIDGES:
            return Missing.ABSENT
        return self._byte(PCI_SECONDARY_BUS)

    @property
    def buses_below(self) -> Fact[tuple[int, int]]:
        """The first and the last number of the buses below a bridge."""
        first, last = self.secondary_bus, self._byte(PCI_SUBORDINATE_BUS)
        if not known(first):
            return first
        return (first, last) if known(last) else last

    @cached_property
    def capabilities(self) -> Capabilities:
        """The capabilities in the first 256 bytes."""
        offsets: dict[int, int] = {}
        return Capabilities(offsets, self._walk(offsets))

    def _walk(self, offsets: dict[int, int]) -> Fact[None]:
        """Put every capability down, and say how the list ends."""
        status, header = self._word(PCI_STATUS), self.header_type
        if not known(status):
            return status
        if not known(header):
            return header
        if not status & PCI_STATUS_CAP_LIST:
            return None
        pointer = _POINTERS.get(header)
        if pointer is None:
            return Missing.UNREADABLE
        padded = self._is_padded
        content, size = self.content, len(self.content)
        for _ in range(PCI_FIND_CAP_TTL):
            if pointer >= size:
                return Missing.TRUNCATED
            offset = content[pointer] & ~0x3
            if offset == 0:
                return None
            if offset < PCI_STD_HEADER_SIZEOF:
                return Missing.UNREADABLE
            if padded or offset >= size:
                return Missing.TRUNCATED
            identity = content[offset]
            if identity == 0xFF:
                return Missing.UNREADABLE
            offsets.setdefault(identity, offset)
            pointer = offset + PCI_CAP_LIST_NEXT
        return Missing.UNREADABLE

    @property
    def _is_padded(self) -> bool:
        """Say whether nothing was read behind the first 64 bytes.

        Archivers that believe the size sysfs reports fill the rest with zeros.
        """
        return not any(self.content[PCI_STD_HEADER_SIZEOF:])

    @cached_property
    def extended_capabilities(self) -> Capabilities:
        """The capabilities from 0x100 to 0xfff."""
        offsets: dict[int, int] = {}
        return Capabilities(offsets, self._walk_extended(offsets))

    def _walk_extended(self, offsets: dict[int, int]) -> Fact[None]:
        kind = self.pcie_type
        if kind is None:
            return None  # a conventional device: PCI-X mode 2 apart, it has 256 bytes
        if not known(kind):
            return kind
        offset = PCI_CFG_SPACE_SIZE
        content, size = self.content, len(self.content)  # it answers: it has a kind
        for _ in range(_MAX_EXTENDED):
            if offset + 4 > size:
                return Missing.TRUNCATED
            identity, link = _WORDS.unpack_from(content, offset)
            if identity == link == 0xFFFF:
                return Missing.UNREADABLE
            offsets.setdefault(identity, offset)
            following = link >> 4 & ~0x3
            if following == 0:
                return None
            if following < PCI_CFG_SPACE_SIZE:
                return Missing.UNREADABLE
            offset = following
        return Missing.UNREADABLE

    @cached_property
    def pcie_type(self) -> Fact[int | None]:
        """The device/port type, ``None`` without a PCI Express capability."""
        offset = self.capabilities.find(PciCapId.EXP)
        if offset is None or not known(offset):
            return offset
        flags = self._byte(offset + PCI_EXP_FLAGS)
        return map_fact(flags, lambda value: (value & PCI_EXP_FLAGS_TYPE) >> 4)

    @property
    def hotplug_slot(self) -> Fact[bool]:
        """Whether a port has a slot that is hot-plug capable."""
        offset = self.capabilities.find(PciCapId.EXP)
        if not known(offset):
            return offset
        if offset is None:
            return False
        flags = self._word(offset + PCI_EXP_FLAGS)
        if not known(flags):
            return flags
        if not flags & PCI_EXP_FLAGS_SLOT:
            return False
        slot = self._word(offset + PCI_EXP_SLTCAP)
        return map_fact(slot, lambda value: bool(value & PCI_EXP_SLTCAP_HPC))

    @property
    def acs(self) -> Fact[Acs | None]:
        """The ACS registers, ``None`` without the capability."""
        offset = self.extended_capabilities.find(PciExtCapId.ACS)
        if offset is None or not known(offset):
            return offset
        capability = self._word(offset + PCI_ACS_CAP)
        control = self._word(offset + PCI_ACS_CTRL)
        if not known(capability) or not known(control):
            return Missing.TRUNCATED
        wide = self._word(offset + INTEL_SPT_ACS_CTRL)
        return Acs(capability, control, wide if known(wide) else None)

    @property
    def sriov(self) -> Fact[SrIov | None]:
        """What places virtual functions, ``None`` without the capability."""
        words = self._of_sriov(
            PCI_SRIOV_TOTAL_VF, PCI_SRIOV_VF_OFFSET, PCI_SRIOV_VF_STRIDE
        )
        if words is None or not known(words):
            return words
        offset = self.extended_capabilities.offsets[PciExtCapId.SRIOV]
        total, first, stride = words
        return SrIov(total, first, stride, self._word(offset + PCI_SRIOV_VF_DID))

    @property
    def enabled_vfs(self) -> Fact[int]:
        """How many virtual functions are on, 0 without the capability."""
        words = self._of_sriov(PCI_SRIOV_CTRL, PCI_SRIOV_NUM_VF)
        if words is None or not known(words):
            return 0 if words is None else words
        control, number = words
        return number if control & PCI_SRIOV_CTRL_VFE else 0

    def _of_sriov(self, *registers: int) -> Fact[tuple[int, ...] | None]:
        offset = self.extended_capabilities.find(PciExtCapId.SRIOV)
        if offset is None or not known(offset):
            return offset
        words = complete(self._word(offset + register) for register in registers)
        return words if known(words) else Missing.TRUNCATED
