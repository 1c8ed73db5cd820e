"""What the lines of capabilities of one record of ``lspci`` say.

Only the output of ``-v`` lists capabilities, only that of ``-vv`` their registers, and
only root sees any. The words are those of pciutils' ls-caps.c and ls-ecaps.c, old and
new.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import TypeVar

from iommu_inspect.model.device import Acs, SrIov
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.pci.regs import (
    PCI_ACS_CR,
    PCI_ACS_DT,
    PCI_ACS_EC,
    PCI_ACS_RR,
    PCI_ACS_SV,
    PCI_ACS_TB,
    PCI_ACS_UF,
    PciExpType,
)
from iommu_inspect.sources.text.said import CUT

__all__ = ["ACS_NAME", "Capabilities"]

T = TypeVar("T")

_CAPABILITY = re.compile(rf"Capabilities: \[([0-9a-f]{{2,3}})(?: v\d+)?\] ([^{CUT}]*)$")
_EXPRESS = re.compile(r"(?:PCI )?Express(?: \(v\d+\))? (.*)")
_HOTPLUG = re.compile(r"SltCap:.*\bHotPlug([+-])")
_TOTAL_VFS = re.compile(r"Total VFs: (\d{1,5}), Number of VFs: (\d{1,5})(?=\D)")
_VF_OFFSET = re.compile(
    r"VF offset: (\d{1,5}), stride: (\d{1,5})(?:, Device ID: ([0-9a-f]{4})|$)"
)
ACS_NAME = "Access Control Services"
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


class Capabilities:
    """The capabilities of one function, and what of them can be told.

    ``lines`` are those below its first one. ``ended`` says that they end where the
    record ends, not where the text does or somebody has cut; ``any_listed`` and
    ``any_extended`` whether its run lists capabilities, and those in extended space, of
    any function: where it shows none, absence means nothing.
    """

    def __init__(
        self,
        lines: Sequence[str],
        *,
        ended: bool,
        filtered: bool,
        any_listed: bool = True,
        any_extended: bool = True,
    ) -> None:
        self._lines = lines
        self._text = "\n".join(lines)
        self._ended = ended
        self._filtered = filtered
        self._any_listed = any_listed
        self._any_extended = any_extended

    @property
    def are_listed(self) -> bool:
        """Whether a capability is listed."""
        return "Capabilities: [" in self._text

    @property
    def extended_are_listed(self) -> bool:
        """Whether a capability in extended space is listed."""
        return any(len(where) == 3 for where, _ in self._named_capabilities)

    @property
    def is_detailed(self) -> bool:
        """Whether lspci was told to be verbose about the function."""
        return any(line.startswith(("Flags: ", "Control: ")) for line in self._lines)

    @property
    def is_asleep(self) -> bool:
        """Whether the function did not answer: all its registers read as ones."""
        return "Unknown header type 7f" in self._text

    @property
    def are_past(self) -> bool:
        """Whether the lines go on behind the capabilities, or end where they end."""
        behind = ("Kernel driver in use:", "Kernel modules:")
        return not self._filtered and (
            self._ended or any(line.startswith(behind) for line in self._lines)
        )

    @cached_property
    def _named_capabilities(self) -> tuple[tuple[str, str], ...]:
        found = (_CAPABILITY.match(line) for line in self._lines)
        return tuple((match[1], match[2]) for match in found if match)

    @cached_property
    def _capabilities(self) -> dict[str, str] | Missing:
        """What the lines of capabilities call them, by their offsets."""
        if self.is_asleep:
            return Missing.UNREADABLE
        if "Capabilities: <access denied>" in self._text:
            return Missing.DENIED
        if not self.is_detailed or not self._any_listed:
            return Missing.ABSENT
        found = dict(self._named_capabilities)
        # The status register says that there is a list: it was cut out of the text.
        cut_out = not found and "Status: Cap+" in self._text
        return Missing.TRUNCATED if cut_out else found

    def _absent(self, value: T) -> T | Missing:
        """Return what stands for something that is not listed, where all is."""
        return value if self.are_past else Missing.TRUNCATED

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
        return Missing.UNREADABLE if broken else self._absent(None)

    def pcie_type(self) -> Fact[int | None]:
        """Return the ``PciExpType``, ``None`` for a function of conventional PCI."""
        if not known(self._express) or self._express is None:
            return self._express
        for name, kind in _TYPES.items():
            if self._express.startswith(name):
                return kind
        return Missing.UNREADABLE

    def hotplug_slot(self) -> Fact[bool]:
        """Say whether there is a slot that takes devices while the host runs."""
        if not known(self._express):
            return self._express
        if self._express is None or "(Slot+)" not in self._express:
            return False
        found = _HOTPLUG.search(self._text)
        return found[1] == "+" if found else Missing.TRUNCATED

    def lists_extended(self, name: str) -> Fact[bool]:
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
        if here or self._any_extended:
            return self._absent(value=False)
        return Missing.TRUNCATED

    def acs(self) -> Fact[Acs | None]:
        """Return the registers of ACS, ``None`` without that capability."""
        listed = self.lists_extended(ACS_NAME)
        if not known(listed):
            return listed
        if not listed:
            return None
        capability, control = (self._acs_register(n) for n in ("ACSCap:", "ACSCtl:"))
        if capability is None or control is None:
            return Missing.TRUNCATED
        return Acs(capability, control)

    def _acs_register(self, name: str) -> int | None:
        lines = [line for line in self._lines if line.startswith(name)]
        if len(set(lines)) != 1:
            return None
        words = dict(re.findall(r"([A-Za-z]+)([+-])", lines[0]))
        if any(bit not in words for bit in _ACS_BITS):
            return None
        return sum(value for bit, value in _ACS_BITS.items() if words[bit] == "+")

    def sriov(self) -> Fact[SrIov | None]:
        """Return the registers of SR-IOV, ``None`` without that capability."""
        listed = self.lists_extended(_SRIOV_NAME)
        if not known(listed):
            return listed
        if not listed:
            return None
        total, offset = _TOTAL_VFS.search(self._text), _VF_OFFSET.search(self._text)
        if total is None or offset is None:
            return Missing.TRUNCATED
        model = int(offset[3], 16) if offset[3] else Missing.ABSENT
        return SrIov(int(total[1]), int(offset[1]), int(offset[2]), model)

    def enabled_vfs(self) -> Fact[int]:
        """Return how many virtual functions there are."""
        found = _TOTAL_VFS.search(self._text)
        return int(found[2]) if found else Missing.ABSENT
