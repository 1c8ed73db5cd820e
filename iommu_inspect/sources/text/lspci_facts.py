"""What one record of ``lspci`` says about its function.

Bytes of a dump count more than words. What the words leave out depends on how lspci
was called, and by whom: only the output of ``-v`` lists capabilities, only that of
``-vv`` their registers, and only root sees any. The words are those of pciutils'
ls-caps.c, ls-ecaps.c and lspci.c, old and new.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from iommu_inspect.model.device import Acs, PciIds, SrIov
from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.model.pci.regs import (
    PCI_ACS_CR,
    PCI_ACS_DT,
    PCI_ACS_EC,
    PCI_ACS_RR,
    PCI_ACS_SV,
    PCI_ACS_TB,
    PCI_ACS_UF,
    PCI_CLASS_BRIDGE_CARDBUS,
    PciExpType,
    PciHeaderType,
)
from iommu_inspect.sources.sysfs.pci_config import ConfigSpace
from iommu_inspect.sources.text.lspci_classes import class_of_name
from iommu_inspect.sources.text.lspci_text import Record

__all__ = ["Function"]

T = TypeVar("T")

_CLASS = re.compile(r"[^\[:]*\[([0-9a-f]{4})\]:|(?:Class )?([0-9a-f]{4}):")
_IDS = re.compile(r"(?:^|[ \[])([0-9a-f]{4}):([0-9a-f]{4})(?=[\] ]|$)")
_DEVICE = re.compile(r"Device ([0-9a-f]{4})(?= \(|$)")
_BEHIND_NAME = re.compile(
    r" ?\[[0-9a-f]{4}:[0-9a-f]{4}\].*$| \((?:rev [0-9a-f]{2}|prog-if [0-9a-f]{2})\b.*$"
)
_REVISION = re.compile(r"\(rev ([0-9a-f]{2})\)")
_INTERFACE = re.compile(r"\(prog-if ([0-9a-f]{2})")
_SUBSYSTEM = re.compile(r"Subsystem: .*?\[?([0-9a-f]{4}):([0-9a-f]{4})\]?$")
_GROUP = re.compile(r"IOMMU group:? (\d{1,9})(?!\d)")
_DRIVER = re.compile(r"Kernel driver in use: (\S+)")
_BUSES = re.compile(
    r"Bus: primary=[0-9a-f]{2}, secondary=([0-9a-f]{2}), subordinate=([0-9a-f]{2})"
)
_CAPABILITY = re.compile(r"Capabilities: \[([0-9a-f]{2,3})(?: v\d+)?\] (.*)")
_EXPRESS = re.compile(r"(?:PCI )?Express(?: \(v\d+\))? (.*)")
_HOTPLUG = re.compile(r"SltCap:.*\bHotPlug([+-])")
_TOTAL_VFS = re.compile(r"Total VFs: (\d{1,5}), Number of VFs: (\d{1,5})")
_VF_OFFSET = re.compile(
    r"VF offset: (\d{1,5}), stride: (\d{1,5})(?:, Device ID: ([0-9a-f]{4}))?"
)
_ACS_NAME = "Access Control Services"
_SRIOV_NAME = "Single Root I/O Virtualization"
_ACS_BITS = {
    "SrcValid": PCI_ACS_SV,
    "TransBlk": PCI_ACS_TB,
    "ReqRedir": PCI_ACS_RR,
    "CmpltRedir": PCI_ACS_CR,
    "UpstreamFwd": PCI_ACS_UF,
    "EgressCtrl": PCI_ACS_EC,
    "DirectTrans": PCI_ACS_DT,
}
# The longest first: one name is the beginning of another one.
_TYPES = {
    "Root Complex Integrated Endpoint": PciExpType.RC_END,
    "Root Complex Event Collector": PciExpType.RC_EC,
    "PCI-Express to PCI/PCI-X Bridge": PciExpType.PCI_BRIDGE,
    "PCI/PCI-X to PCI-Express Bridge": PciExpType.PCIE_BRIDGE,
    "PCI/PCI-X Bridge": PciExpType.PCI_BRIDGE,
    "Legacy Endpoint": PciExpType.LEG_END,
    "Downstream Port": PciExpType.DOWNSTREAM,
    "Upstream Port": PciExpType.UPSTREAM,
    "Root Port": PciExpType.ROOT_PORT,
    "Endpoint": PciExpType.ENDPOINT,
}
_PORTS_WITH_SLOTS = (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM)


@dataclass(frozen=True)
class Function:
    """One function of a capture.

    ``lists_capabilities`` and ``lists_extended``: whether the capture shows a
    capability, or one in extended space, of any function. Where it shows none, their
    absence means nothing.
    """

    record: Record
    lists_capabilities: bool
    lists_extended: bool

    @cached_property
    def _text(self) -> str:
        return "\n".join(self.record.details)

    @cached_property
    def _config(self) -> ConfigSpace:
        return ConfigSpace(self.record.config)

    @property
    def is_detailed(self) -> bool:
        """Whether lspci was told to be verbose about the function."""
        return any(
            line.startswith(("Flags: ", "Control: ")) for line in self.record.details
        )

    @property
    def is_asleep(self) -> bool:
        """Whether the function did not answer: all its registers read as ones."""
        return "Unknown header type 7f" in self._text

    @property
    def answers(self) -> Fact[bool]:
        """Whether it answered; of a bare line only its revision ff speaks."""
        lost = self.is_asleep or (
            not self.record.details and self.record.first.endswith("(rev ff)")
        )
        if lost:
            return False
        words = True if self.is_detailed else Missing.ABSENT
        return self._of_bytes(self._config.answers, words)

    @property
    def shows_extended(self) -> bool:
        """Whether lines list a capability in extended space."""
        return any(len(where) == 3 for where, _ in _CAPABILITY.findall(self._text))

    @property
    def named_virtual(self) -> bool:
        """Whether its name says that it is a virtual function."""
        return "Virtual Function" in self.record.first

    @property
    def name(self) -> str | None:
        """What the first line calls it, vendor included, without numbers."""
        text = self.record.first.partition(": ")[2]
        text = _BEHIND_NAME.sub("", text).strip()
        return None if not text or _IDS.fullmatch(text) else text

    @property
    def driver(self) -> str | None:
        """The driver that a line names, if there is one."""
        found = _DRIVER.search(self._text)
        return found[1] if found else None

    @property
    def groups(self) -> tuple[str, ...]:
        """The different IOMMU groups that lines name: one, unless they contradict."""
        return tuple(dict.fromkeys(_GROUP.findall(self._text)))

    def _of_bytes(self, fact: Fact[T], words: Fact[T]) -> Fact[T]:
        """Take what the bytes say, or the words where the bytes end before it."""
        if self.is_asleep:
            return Missing.UNREADABLE
        if not self.record.config:
            return words
        told = fact is not Missing.TRUNCATED or words is Missing.ABSENT
        return fact if told else words

    @cached_property
    def _capabilities(self) -> dict[str, str] | Missing:
        """What the lines of capabilities call them, by their offsets."""
        if self.is_asleep:
            return Missing.UNREADABLE
        if "Capabilities: <access denied>" in self._text:
            return Missing.DENIED
        if not self.is_detailed or not self.lists_capabilities:
            return Missing.ABSENT
        found = dict(_CAPABILITY.findall(self._text))
        # The status register says that there is a list: it was cut out of the text.
        cut_out = not found and "Status: Cap+" in self._text
        return Missing.TRUNCATED if cut_out else found

    @cached_property
    def _express(self) -> Fact[str | None]:
        listed = self._capabilities
        if not known(listed):
            return listed
        broken = "<chain" in self._text or "Capabilities: [ff]" in self._text
        for offset, name in listed.items():
            found = _EXPRESS.fullmatch(name)
            if found and len(offset) == 2:
                return found[1]
        return Missing.UNREADABLE if broken else None

    def _type_by_words(self) -> Fact[int | None]:
        if not known(self._express) or self._express is None:
            return self._express
        for name, kind in _TYPES.items():
            if self._express.startswith(name):
                return kind
        return Missing.UNREADABLE

    @cached_property
    def pcie_type(self) -> Fact[int | None]:
        """Device/port type, ``None`` without the PCI Express capability."""
        config = self._config.pcie_type
        return self._of_bytes(config, self._type_by_words())

    def _hotplug_by_words(self) -> Fact[bool]:
        if not known(self._express):
            return self._express
        if self._express is None or "(Slot+)" not in self._express:
            return False
        found = _HOTPLUG.search(self._text)
        return found[1] == "+" if found else Missing.TRUNCATED

    @property
    def hotplug_slot(self) -> Fact[bool]:
        """Whether a port has a slot that takes cards while the host runs."""
        config = self._config.hotplug_slot
        return self._of_bytes(config, self._hotplug_by_words())

    def _extended(self, name: str) -> Fact[bool]:
        """Say whether an extended capability is listed."""
        listed = self._capabilities
        if not known(listed):
            return listed
        here = [what for where, what in listed.items() if len(where) == 3]
        if any(what.startswith(name) for what in here):
            return True
        if self._express is None or not known(self._express):
            return False if self._express is None else self._express
        if "<chain" in self._text:
            return Missing.UNREADABLE
        # Nothing was read of any function's extended space (dumps of 256 bytes, no
        # ECAM): then that this one shows none means nothing.
        return False if here or self.lists_extended else Missing.TRUNCATED

    def _acs_by_words(self) -> Fact[Acs | None]:
        listed = self._extended(_ACS_NAME)
        if not known(listed):
            return listed
        if not listed:
            return None
        registers = [self._acs_register(name) for name in ("ACSCap:", "ACSCtl:")]
        capability, control = registers
        if capability is None or control is None:
            return Missing.TRUNCATED
        return Acs(capability, control)

    def _acs_register(self, name: str) -> int | None:
        start = self._text.find(name)
        if start < 0:
            return None
        line = self._text[start:].partition("\n")[0]
        words = dict(re.findall(r"([A-Za-z]+)([+-])", line))
        if any(bit not in words for bit in _ACS_BITS):
            return None
        return sum(value for bit, value in _ACS_BITS.items() if words[bit] == "+")

    @property
    def acs(self) -> Fact[Acs | None]:
        """ACS registers; words do not show the wide control register."""
        return self._of_bytes(self._config.acs, self._acs_by_words())

    @property
    def acs_listed(self) -> Fact[bool]:
        """Whether it has ACS, where lspci lists that without its registers too."""
        return self._extended(_ACS_NAME)

    def _sriov_by_words(self) -> Fact[SrIov | None]:
        listed = self._extended(_SRIOV_NAME)
        if not known(listed):
            return listed
        if not listed:
            return None
        total, offset = _TOTAL_VFS.search(self._text), _VF_OFFSET.search(self._text)
        if total is None or offset is None:
            return Missing.TRUNCATED
        model = _number(offset[3] or "")
        return SrIov(int(total[1]), int(offset[1]), int(offset[2]), model)

    @cached_property
    def sriov(self) -> Fact[SrIov | None]:
        """What places virtual functions, ``None`` without the capability."""
        return self._of_bytes(self._config.sriov, self._sriov_by_words())

    @property
    def virtual_functions(self) -> Fact[int]:
        """How many virtual functions are on."""
        found = _TOTAL_VFS.search(self._text)
        words = int(found[2]) if found else Missing.ABSENT
        return self._of_bytes(self._config.enabled_vfs, words)

    @property
    def header_type(self) -> Fact[int]:
        """A ``PciHeaderType``, which words show by the buses below a bridge."""
        words: Fact[int] = Missing.ABSENT
        if self.is_detailed:
            words = PciHeaderType.NORMAL
            if _BUSES.search(self._text):
                cardbus = self._class() == PCI_CLASS_BRIDGE_CARDBUS
                words = PciHeaderType.CARDBUS if cardbus else PciHeaderType.BRIDGE
        return self._of_bytes(self._config.header_type, words)

    @property
    def multifunction(self) -> Fact[bool]:
        """The multi-function bit, which words never show."""
        return self._of_bytes(self._config.multifunction, Missing.ABSENT)

    @cached_property
    def buses(self) -> Fact[tuple[int, int]]:
        """First and last number of the buses below a bridge."""
        words: Fact[tuple[int, int]] = Missing.ABSENT
        found = _BUSES.search(self._text)
        if found:
            words = int(found[1], 16), int(found[2], 16)
        return self._of_bytes(self._config.buses_below, words)

    def _class(self) -> Fact[int]:
        found = _CLASS.match(self.record.first)
        if found:
            return int(found[1] or found[2], 16)
        return class_of_name(self.record.first.partition(":")[0])

    @property
    def has_ids(self) -> bool:
        """Whether its bytes show ids, which those of a virtual function do not."""
        return known(self._config.identity.vendor)

    @cached_property
    def ids(self) -> PciIds:
        """The registers that identify it, as far as numbers are shown.

        The class without a programming interface has 0 there.
        """
        bits, words = self._config.identity, self._ids_by_words()
        if self.is_asleep or bits.vendor is Missing.UNREADABLE:
            return words  # the kernel remembers them
        return PciIds(
            vendor=self._of_bytes(bits.vendor, words.vendor),
            device=self._of_bytes(bits.device, words.device),
            subsystem_vendor=self._of_bytes(
                bits.subsystem_vendor, words.subsystem_vendor
            ),
            subsystem_device=self._of_bytes(
                bits.subsystem_device, words.subsystem_device
            ),
            class_code=self._of_bytes(bits.class_code, words.class_code),
            revision=self._of_bytes(bits.revision, words.revision),
        )

    def _ids_by_words(self) -> PciIds:
        first = self.record.first
        pairs, lone = _IDS.findall(first), _DEVICE.search(first)
        vendor, device = map(_number, pairs[-1] if pairs else ("", ""))
        if lone and not pairs:
            device = int(lone[1], 16)
        subsystem = next(filter(None, map(_SUBSYSTEM.match, self.record.details)), None)
        revision, interface = _REVISION.search(first), _INTERFACE.search(first)
        low = int(interface[1], 16) if interface else 0
        return PciIds(
            vendor,
            device,
            int(subsystem[1], 16) if subsystem else Missing.ABSENT,
            int(subsystem[2], 16) if subsystem else Missing.ABSENT,
            map_fact(self._class(), lambda base: base << 8 | low),
            int(revision[1], 16) if revision else Missing.ABSENT,
        )


def _number(text: str) -> Fact[int]:
    return int(text, 16) if text else Missing.ABSENT
