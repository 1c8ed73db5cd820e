"""Whose group a function joins when it appears: what ``pci_device_group()`` asks.

Read in drivers/iommu/iommu.c and drivers/pci/search.c of v6.12 and v7.3. Where a fact
is missing both ways are followed: what comes out whichever is true is told, and what
was missing on the way is kept.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Iterator

from iommu_inspect.kernel.grouping.acs.isolation import Isolation, OnBus, same_slot
from iommu_inspect.kernel.grouping.acs.unseen import Doubt, Unseen, why_unseen
from iommu_inspect.kernel.grouping.making.dma_aliases import (
    BridgeAlias,
    alias_devfns,
    bridge_alias,
    devfn,
)
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known

__all__ = ["HasGroup", "Mechanism", "Placement", "Possible", "possible"]

HasGroup = Callable[[Device], bool]


class Mechanism(enum.Enum):
    """Why a device shares a group with another one."""

    ALONE = "alone"
    ACS_PATH = "acs-path"
    MULTIFUNCTION = "multifunction"
    DMA_ALIAS = "dma-alias"
    ALIAS_QUIRK = "alias-quirk"
    VMD = "vmd"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Placement:
    """Whose group a device joins.

    ``joins`` is a device whose group it is; ``None`` with ``ALONE`` for a group of its
    own, and with ``UNKNOWN`` where that cannot be told. ``at`` is the device where
    isolation is lost, ``because`` a sentence.
    """

    joins: Device | None
    mechanism: Mechanism
    at: Device | None
    because: str


class Possible:
    """The placements that a function may have, the likeliest first, and the doubts.

    Each has another device to join; a group of its own is one of them.
    """

    def __init__(self, doubts: Iterable[Doubt] = ()) -> None:
        self._placements: dict[str | None, Placement] = {}
        self._doubts = dict.fromkeys(doubts)

    @property
    def placements(self) -> tuple[Placement, ...]:
        """Where it may come to be."""
        return tuple(self._placements.values())

    @property
    def doubts(self) -> tuple[Doubt, ...]:
        """What was not seen."""
        return tuple(self._doubts)

    @property
    def placement(self) -> Placement:
        """The placement, if there is but one."""
        if len(self._placements) == 1:
            return self.placements[0]
        first = self.doubts[0]
        return Placement(None, Mechanism.UNKNOWN, first.device, first.because)

    def add(self, placement: Placement) -> None:
        """Keep one that leads to a device to which no other leads."""
        joins = placement.joins
        name = None if joins is None else joins.address
        self._placements.setdefault(name, placement)

    def doubt(self, doubt: Doubt) -> None:
        """Keep what was not seen, once."""
        self._doubts.setdefault(doubt)


_ALONE = Placement(None, Mechanism.ALONE, None, "every port above it isolates it (ACS)")


def possible(
    facts: Isolation,
    bridges: list[Device],
    has_group: HasGroup,
    device: Device | None = None,
) -> Possible:
    """Return where a function may come to be.

    Args:
        facts: The machine's.
        bridges: What is above it, the nearest first; all of it.
        has_group: Which functions have their group already.
        device: The function; ``None`` for a newcomer that nothing hides.
    """
    search = _Search(facts, has_group)
    search.follow(bridges, device)
    return search.found


class _Search:
    def __init__(self, facts: Isolation, has_group: HasGroup) -> None:
        self._facts = facts
        self._has_group = has_group
        self._seen: set[str] = set()
        self.found = Possible()

    def follow(self, bridges: list[Device], device: Device | None) -> None:
        """Follow a request to the root: which bridges put their id on it."""
        last, start = device, 0
        for number, bridge in enumerate(bridges):
            alias = bridge_alias(bridge, self._facts.machine)
            if alias is BridgeAlias.ROOT:
                break
            if alias is BridgeAlias.UNKNOWN:
                self._anywhere_above(bridges[number:], last)
                return
            if alias is BridgeAlias.NONE:
                continue
            if self._has_group(bridge):
                because = (
                    f"the bridge {bridge.address} puts its own requester id on what "
                    "passes"
                )
                found = Placement(bridge, Mechanism.DMA_ALIAS, bridge, because)
                self.found.add(found)
                return
            last, start = bridge, number + 1
        self._follow_path(bridges, last, start)

    def _anywhere_above(self, bridges: list[Device], last: Device | None) -> None:
        """Keep all that can be joined where a bridge is of a kind that was not seen."""
        self.found.add(_ALONE)
        for bridge in bridges:
            if bridge_alias(bridge, self._facts.machine) is BridgeAlias.UNKNOWN:
                self.found.doubt(_kind_of(self._facts, bridge))
            self._beside(last)
            last = bridge
            if self._has_group(bridge):
                because = f"{bridge.address} is above it"
                found = Placement(bridge, Mechanism.UNKNOWN, bridge, because)
                self.found.add(found)
                return
        self._beside(last)

    def _follow_path(
        self, bridges: list[Device], last: Device | None, start: int
    ) -> None:
        for index in range(start, len(bridges)):
            above = bridges[index:]
            isolated = self._facts.path_isolates(above)
            if isolated:
                break
            if isolated is None:
                for bridge in above:
                    if self._facts.isolates(bridge) is None:
                        self.found.doubt(self._facts.doubt(bridge))
                self._beside(last)
            last = bridges[index]
            if self._has_group(last):
                leak = self._first_leak(above)
                because = f"{leak.address} has no ACS in effect towards its peers"
                self.found.add(Placement(last, Mechanism.ACS_PATH, leak, because))
                return
        self._beside(last)

    def _first_leak(self, bridges: list[Device]) -> Device:
        answers = [(self._facts.isolates(bridge), bridge) for bridge in bridges]
        sure = [bridge for isolates, bridge in answers if isolates is False]
        return next(iter(sure), next(b for isolates, b in answers if not isolates))

    def _beside(self, last: Device | None) -> None:
        """Look at the neighbours of the last device: quirks, functions of its slot."""
        if last is None:
            self.found.add(_ALONE)
            return
        self._seen.clear()
        if not self._by_quirk(last) and not self._by_function(last):
            self.found.add(_ALONE)

    def _by_quirk(self, device: Device) -> bool:
        """Keep who shares a requester id; say whether that one has a group for sure."""
        if device.address in self._seen:
            return False
        self._seen.add(device.address)
        mine, aliases = devfn(device), alias_devfns(device)
        bus = self._facts.bus_of(device)
        nameless = [beside.device for beside in bus if beside.aliases is None]
        if nameless:
            self._anyone_of(device, bus, nameless)
        for beside in bus:
            other = beside.device
            if other is device:
                continue
            if beside.devfn not in (aliases or ()) and (
                mine not in (beside.aliases or ())
            ):
                continue
            because = f"{device.address} and {other.address} use one requester id"
            if self._has_group(other):
                found = Placement(other, Mechanism.ALIAS_QUIRK, device, because)
                self.found.add(found)
                return True
            if self._by_quirk(other) or self._by_function(other):
                return True
        return False

    def _anyone_of(
        self, device: Device, bus: list[OnBus], nameless: list[Device]
    ) -> None:
        """Keep all of a bus: what was not named may pose as any of them."""
        if len(bus) == 1:
            return
        for each in nameless:
            self.found.doubt(_ids_of(each))
        for beside in bus:
            other = beside.device
            if other is not device and self._has_group(other):
                because = f"{device.address} and {other.address} may use one id"
                found = Placement(other, Mechanism.UNKNOWN, device, because)
                self.found.add(found)

    def _by_function(self, device: Device) -> bool:
        """Keep who shares the slot; say whether that one has a group for sure."""
        several = self._facts.multifunction(device)
        isolated = self._facts.isolates(device)
        if several is False or isolated:
            return False
        for other in self._siblings(device):
            told = True
            for each, its in ((device, isolated), (other, self._facts.isolates(other))):
                if its is None or (each is device and several is None):
                    told = False
                    self.found.doubt(self._facts.doubt(each))
            if self._has_group(other):
                because = (
                    f"{device.address} and {other.address} are functions of one slot, "
                    "and neither has ACS in effect towards the other"
                )
                found = Placement(other, Mechanism.MULTIFUNCTION, device, because)
                self.found.add(found)
                sure = True
            else:
                sure = self._by_quirk(other)
            if sure and told:
                return True
        return False

    def _siblings(self, device: Device) -> Iterator[Device]:
        for beside in self._facts.bus_of(device):
            other = beside.device
            if other is device or not same_slot(other, device):
                continue
            if not self._facts.isolates(other):
                yield other


def _kind_of(facts: Isolation, bridge: Device) -> Doubt:
    why = why_unseen(facts.machine, bridge)
    because = f"what kind of bridge {bridge.address} is cannot be told: {why}"
    return Doubt(bridge, Unseen.KIND, because)


def _ids_of(device: Device) -> Doubt:
    if not known(device.ids.vendor) or not known(device.ids.device):
        because = (
            f"the source does not show the vendor and device ids of {device.address}, "
            "and so not which quirks of the kernel apply to it"
        )
        return Doubt(device, Unseen.IDS, because)
    because = f"which requester ids {device.address} uses only the hardware tells"
    return Doubt(device, Unseen.HARDWARE, because)
