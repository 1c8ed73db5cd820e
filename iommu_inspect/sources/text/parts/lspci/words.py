"""What one record of ``lspci`` says about its function.

Bytes of a dump count more than words. What the words leave out depends on how lspci
was called, and by whom. And a text can end anywhere. So what is not there is absent
only in a record that is whole. The words are those of pciutils' lspci.c, old and new.
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import cached_property
from typing import TypeVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.regs import PCI_CLASS_BRIDGE_CARDBUS, PciHeaderType
from iommu_inspect.sources.sysfs.pci_config import ConfigSpace
from iommu_inspect.sources.text.parts.forms import is_detail
from iommu_inspect.sources.text.parts.lspci.capabilities import ACS_NAME, Capabilities
from iommu_inspect.sources.text.parts.lspci.first_line import FirstLine
from iommu_inspect.sources.text.parts.record import Record, Run
from iommu_inspect.sources.text.said import CUT, DeviceFacts, Said

__all__ = ["facts_of"]

T = TypeVar("T")

_GROUP = re.compile(r"IOMMU group: ?(\d{1,9})(?: |$)")
_GROUP_FLAG = re.compile(r"[ ,]IOMMU group (\d{1,9})(?=,| |$)")
# A name that ends with a hyphen was broken there.
_DRIVER = re.compile(r"Kernel driver in use: ?([\w.+]+(?:-[\w.+]+)*)(?: |$)")
# show_slot_name() and show_verbose() in lspci.c; a name may hold anything.
_SLOT = re.compile(rf"Physical Slot: ([^{CUT}]*[^{CUT}\s])$")
_LABEL = re.compile(rf"DeviceName: +([^{CUT}]*[^{CUT}\s])$")
_BUSES = re.compile(
    r"Bus: primary=[0-9a-f]{2}, secondary=([0-9a-f]{2}), subordinate=([0-9a-f]{2})"
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What a run shows of any function: where it shows none, absence means nothing."""

    drivers: bool
    groups: bool
    capabilities: bool
    extended: bool
    details: bool
    flat_drivers: bool


def facts_of(run: Run) -> tuple[Said, ...]:
    """Return what a run says of each of its functions.

    Functions that it names without a bus (``lspci -P``) are left to who knows more.
    """
    alone = [_Function(record, run, None) for record in run.records]
    shown = _Shown(
        drivers=any(function.drivers for function in alone),
        groups=any(function.detail_groups for function in alone),
        capabilities=any(function.capabilities.are_listed for function in alone),
        extended=any(function.capabilities.extended_are_listed for function in alone),
        details=any(record.details for record in run.records),
        # One such line may be somebody's own words, several are a script's.
        flat_drivers=sum(1 for record in run.records if record.flat_drivers) > 1,
    )
    found: list[Said] = []
    below: dict[str, tuple[int, int]] = {}
    names: dict[str, PciAddress] = {}
    for record in run.records:
        function = _Function(record, run, shown)
        facts = function.facts()
        address = record.entry.address or _resolved(record, names, below)
        if address is None:
            continue
        if record.entry.address is None:
            above = names.get("/".join(record.entry.above))
            parent = DeviceId.of_pci(above) if above else Missing.ABSENT
            facts = replace(facts, parent=parent)
        way = "/".join((*record.entry.above, record.entry.key.rpartition("/")[2]))
        names[way] = names[record.entry.key] = address
        if known(facts.buses):
            below[str(address)] = facts.buses
        claims = function.all_groups
        by_bytes = bool(record.config)
        device = DeviceId.of_pci(address)
        found.append(Said(record.number, device, facts, by_bytes=by_bytes))
        # One record that names two groups contradicts itself.
        found += [
            Said(record.number, device, DeviceFacts(group=group))
            for group in claims[1:]
        ]
    return tuple(found)


def _resolved(
    record: Record, names: dict[str, PciAddress], below: dict[str, tuple[int, int]]
) -> PciAddress | None:
    """Return the address of a function of which only the way is named (``lspci -P``).

    Its bus is the first one below the last bridge of the way, if that is shown.
    """
    above = names.get("/".join(record.entry.above))
    buses = below.get(str(above)) if above else None
    slot = record.entry.key.rpartition("/")[2]
    if above is None or buses is None:
        return None
    number, _, function = slot.partition(".")
    return PciAddress(above.domain, buses[0], int(number, 16), int(function))


class _Function:
    """One function of a run, and what of it can be told."""

    def __init__(self, record: Record, run: Run, shown: _Shown | None) -> None:
        self.record = record
        self.first = FirstLine(record.entry)
        self._shown = shown or _Shown(
            drivers=False,
            groups=False,
            capabilities=True,
            extended=True,
            details=True,
            flat_drivers=False,
        )
        self._lines = [text for text, _ in record.details]
        self.capabilities = Capabilities(
            self._lines,
            ended=record.closed,
            filtered=run.filtered,
            any_listed=self._shown.capabilities,
            any_extended=self._shown.extended,
        )
        self._config = ConfigSpace(record.config)
        self._filtered = run.filtered

    @property
    def _is_whole(self) -> bool:
        """Whether what is not in the record was not there."""
        return self.record.closed and not self._filtered

    @cached_property
    def drivers(self) -> tuple[str, ...]:
        """The different drivers that lines name."""
        found = (_DRIVER.match(line) for line in self._lines)
        return tuple(dict.fromkeys(match[1] for match in found if match))

    @cached_property
    def detail_groups(self) -> tuple[str, ...]:
        """The different groups that lines below the first one name."""
        found: dict[str, None] = {}
        for line in self._lines:
            own = _GROUP.match(line)
            if own:
                found[str(int(own[1]))] = None
            elif line.startswith("Flags:"):
                found |= {str(int(g)): None for g in _GROUP_FLAG.findall(line)}
        return tuple(found)

    @property
    def all_groups(self) -> tuple[str, ...]:
        """Those, the heading's, and that behind the description."""
        told = (self.record.group, *self.detail_groups, self.record.entry.group)
        return tuple(dict.fromkeys(group for group in told if group))

    def facts(self) -> DeviceFacts:
        """Return all that the record says."""
        bits = self._config.identity
        ids = self.first.ids(self._lines)
        if not self.capabilities.is_asleep and bits.vendor is not Missing.UNREADABLE:
            ids = self.first.joined(ids, bits, self._of_bytes)
        return DeviceFacts(
            name=self.first.name,
            ids=ids,
            driver=self._driver(),
            group=self._group(),
            header_type=self._header_type(),
            multifunction=self._of_bytes(self._config.multifunction, Missing.ABSENT),
            pcie_type=self._of_bytes(
                self._config.pcie_type, self.capabilities.pcie_type()
            ),
            acs=self._of_bytes(self._config.acs, self.capabilities.acs()),
            acs_listed=self.capabilities.lists_extended(ACS_NAME),
            sriov=self._of_bytes(self._config.sriov, self.capabilities.sriov()),
            enabled_vfs=self._enabled_vfs(),
            # Registers of a virtual function show no ids (PCIe 6.0, 9.3.4.1); words
            # show the same of both.
            physfn=None if known(bits.vendor) else Missing.ABSENT,
            hotplug_slot=self._of_bytes(
                self._config.hotplug_slot, self.capabilities.hotplug_slot()
            ),
            buses=self._buses(),
            parent=self._parent(),
            answers=self._answers(),
            slot=self._told_by(_SLOT),
            label=self._told_by(_LABEL),
        )

    def _told_by(self, pattern: re.Pattern[str]) -> Fact[str]:
        """Return what the lines of one kind name, if they agree."""
        told = {match[1] for match in map(pattern.match, self._lines) if match}
        if len(told) > 1:
            return Missing.UNREADABLE
        return next(iter(told), Missing.ABSENT)

    def _parent(self) -> Fact[DeviceId | None]:
        above = self.record.entry.above
        if not above or ":" not in above[-1]:
            return Missing.ABSENT
        return DeviceId(above[-1], "pci")

    @property
    def _all_drivers(self) -> set[str]:
        """Those, and what a script says of it."""
        record = self.record
        flat = record.flat_drivers if self._shown.flat_drivers else []
        behind = [record.entry.driver] if record.entry.driver != "" else []
        return {*self.drivers, *record.indented_drivers, *flat, *behind}

    def _driver(self) -> Fact[str | None]:
        drivers = self._all_drivers
        if len(drivers) > 1:
            return Missing.UNREADABLE
        if drivers:
            return next(iter(drivers))
        if any(line.startswith("Kernel driver in use") for line in self._lines):
            return Missing.TRUNCATED  # its name is cut off
        # lspci leaves the line out for a function without a driver, and for all
        # without -k or -v; one line shows that it was asked. It stands before that of
        # the modules.
        if not self._shown.drivers or self._filtered:
            return Missing.ABSENT
        if any(line.startswith("Kernel modules:") for line in self._lines):
            return None
        if not self._is_whole:
            return Missing.ABSENT
        # Somebody's note below a function is none of lspci's lines.
        cut_off = self._shown.details and not any(map(is_detail, self._lines))
        return Missing.ABSENT if cut_off else None

    def _group(self) -> Fact[str | None]:
        if self.all_groups:
            return self.all_groups[0]
        told = (
            self.capabilities.is_detailed and self._is_whole and not self.record.wrapped
        )
        if self._shown.groups and told:
            return None
        return Missing.ABSENT

    def _answers(self) -> Fact[bool]:
        lost = self.capabilities.is_asleep or (
            not self._lines and self.record.entry.text.endswith("(rev ff)")
        )
        if lost:
            return False
        words = True if self.capabilities.is_detailed else Missing.ABSENT
        return self._of_bytes(self._config.answers, words)

    def _of_bytes(self, fact: Fact[T], words: Fact[T]) -> Fact[T]:
        """Take what the bytes say, or the words where the bytes end before it."""
        if self.capabilities.is_asleep:
            return Missing.UNREADABLE
        if not self.record.config:
            return words
        told = fact is not Missing.TRUNCATED or words is Missing.ABSENT
        return fact if told else words

    def _enabled_vfs(self) -> Fact[int]:
        words = self.capabilities.enabled_vfs()
        return self._of_bytes(self._config.enabled_vfs, words)

    def _header_type(self) -> Fact[int]:
        """A ``PciHeaderType``, which words show by the buses below a bridge."""
        words: Fact[int] = Missing.ABSENT
        if any(_BUSES.match(line) for line in self._lines):
            cardbus = self.first.class_base == PCI_CLASS_BRIDGE_CARDBUS
            words = PciHeaderType.CARDBUS if cardbus else PciHeaderType.BRIDGE
        elif self.capabilities.is_detailed and self.capabilities.are_past:
            words = PciHeaderType.NORMAL
        return self._of_bytes(self._config.header_type, words)

    def _buses(self) -> Fact[tuple[int, int]]:
        """First and last number of the buses below a bridge."""
        words: Fact[tuple[int, int]] = Missing.ABSENT
        found = next(filter(None, map(_BUSES.match, self._lines)), None)
        if found:
            words = int(found[1], 16), int(found[2], 16)
        return self._of_bytes(self._config.buses_below, words)
