"""Reads the tree that ``lspci -t`` draws: which function is behind which bridge."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.said import CUT, DeviceFacts, Line, Said

__all__ = ["TopologyReader"]

_ROOT = re.compile(
    r"[\s|]*(?:-\+-|[+\\]-|-)?\[(?P<domain>[0-9a-f]{4,8}):(?P<bus>[0-9a-f]{2})(?:-[0-9a-f]{2})?\]"
)
_BRANCH = re.compile(r"[\s|]*[+\\]-[0-9a-f]{2}\.[0-7]")
_FUNCTION = re.compile(r"-+(?P<slot>[0-9a-f]{2})\.(?P<function>[0-7])(?![0-9a-f])")
_BELOW = re.compile(
    r"-\[(?:[0-9a-f]{4,8}:)?(?P<first>[0-9a-f]{2})(?:-(?P<last>[0-9a-f]{2}))?\]"
)
_FORK = re.compile(r"-*(?P<mark>[+\\])(?=-)")
_IDS = re.compile(r"\[([0-9a-f]{4}):([0-9a-f]{4})\]$|^  ([0-9a-f]{4}):([0-9a-f]{4})$")


@dataclass(frozen=True, slots=True)
class _Bus:
    domain: int
    number: int
    bridge: DeviceId | None


@dataclass(slots=True)
class TopologyReader:
    """Reads lines of the tree; their columns say what belongs to what."""

    KIND: ClassVar[str] = "lspci"

    _forks: dict[int, _Bus] = field(default_factory=dict)
    _said: list[Said] = field(default_factory=list)

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line draws a root or a branch."""
        return _ROOT.match(bare) is not None or _BRANCH.match(bare) is not None

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of these."""
        if line.prompt:
            self.close()
            return False
        text = line.text
        root = _ROOT.match(text)
        if root:
            bus = _Bus(int(root["domain"], 16), int(root["bus"], 16), None)
            at = root.end()
            fork = _FORK.match(text, at)
            if fork:
                self._forks[fork.start("mark")] = bus
                at = fork.end()
            return self._along(line, bus, at)
        if _BRANCH.match(text):
            at = min(place for mark in "+\\" if (place := text.find(mark)) >= 0)
            known_bus = self._forks.get(at)
            if known_bus is None:
                return False
            for place in [place for place in self._forks if place > at]:
                del self._forks[place]
            return self._along(line, known_bus, at + 1)
        return False

    def close(self) -> None:
        """Take note that something else follows."""
        self._forks.clear()

    def said(self) -> tuple[Said, ...]:
        """Return what the tree says."""
        return tuple(self._said)

    def _along(self, line: Line, bus: _Bus, at: int) -> bool:
        """Read a line from a place on, function by function."""
        text = line.text
        while True:
            found = _FUNCTION.match(text, at)
            if found is None:
                return True
            slot = int(found["slot"], 16)
            if slot > 0x1F:
                return True
            function = int(found["function"])
            address = PciAddress(bus.domain, bus.number, slot, function)
            device = DeviceId.of_pci(address)
            at = found.end()
            below = _BELOW.match(text, at)
            buses: Fact[tuple[int, int]] = Missing.ABSENT
            if below:
                first = int(below["first"], 16)
                buses = first, int(below["last"] or below["first"], 16)
            ids = PciIds() if below else _ids(text[at:])
            name = Missing.ABSENT if below else _name(text[at:])
            facts = DeviceFacts(name=name, ids=ids, buses=buses, parent=bus.bridge)
            self._said.append(Said(line.number, device, facts))
            if not below:
                return True
            bus = _Bus(bus.domain, int(below["first"], 16), device)
            at = below.end()
            fork = _FORK.match(text, at)
            if fork:
                self._forks[fork.start("mark")] = bus
                at = fork.end()


def _name(text: str) -> Fact[str]:
    name = _IDS.sub("", text.rstrip()).strip()
    if not text.startswith("  ") or not name or CUT in name:
        return Missing.ABSENT
    return name


def _ids(text: str) -> PciIds:
    found = None if CUT in text else _IDS.search(text.rstrip())
    if found is None:
        return PciIds()
    vendor, device = found[1] or found[3], found[2] or found[4]
    return PciIds(int(vendor, 16), int(device, 16))
