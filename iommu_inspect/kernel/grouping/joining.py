"""Which group a device joins when it appears: what ``pci_device_group()`` asks.

Read in drivers/iommu/iommu.c, drivers/pci/search.c and drivers/pci/pci.c of v6.12 and
v7.3. The kernel's grouping stays the truth: this explains it, and predicts newcomers.
``None`` stands for "cannot be told".
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

from iommu_inspect.kernel.grouping.acs_quirks import Quirk, acs_quirk, has_required
from iommu_inspect.kernel.grouping.dma_aliases import (
    BridgeAlias,
    alias_devfns,
    bridge_alias,
    devfn,
)
from iommu_inspect.kernel.grouping.unseen import why_unseen
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.model.topology import Topology

__all__ = [
    "Grouping",
    "Joins",
    "Mechanism",
    "Placement",
    "same_slot",
]

_CONVENTIONAL_BRIDGES = (
    PciExpType.PCI_BRIDGE,
    PciExpType.PCIE_BRIDGE,
    PciExpType.RC_EC,
)


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


@dataclass(frozen=True, slots=True)
class Joins:
    """The answer for a newcomer.

    ``group`` is the group that it joins; without one, it gets a ``new`` group of its
    own, or (``new`` is ``None``) the source does not tell. ``because`` says why.
    """

    group: Group | None
    new: bool | None
    because: str


HasGroup = Callable[[Device], bool]


@dataclass(frozen=True, slots=True)
class _OnBus:
    """A function of a bus, its slot and number, and the others that it poses as."""

    device: Device
    devfn: int
    aliases: frozenset[int] | None


class Grouping:
    """Answers for one machine; its facts about isolation are asked once."""

    def __init__(self, machine: Machine, topology: Topology | None = None) -> None:
        self.machine = machine
        self.topology = topology or Topology(machine)
        tables = machine.firmware_tables
        self._has_ivrs = "IVRS" in tables if known(tables) else None

    def isolates(self, device: Device) -> bool | None:
        """Say whether a function keeps requests from its peers (``pci_acs_enabled()``).

        The kernel's quirks come first. Conventional devices and bridges to them never
        isolate. Ports need the capability with the required bits on, where a bit that
        is not implemented counts as on; a function that is alone in its slot has no
        peers.
        """
        quirk = acs_quirk(
            device,
            on_root_bus=(
                self.topology.parent(device) is None if device.is_placed else None
            ),
            has_ivrs=self._has_ivrs,
        )
        if quirk is Quirk.ISOLATED:
            return True
        if quirk is Quirk.NOT_ISOLATED:
            return False
        by_registers = _isolates_by_registers(device, self.multifunction(device))
        return None if quirk is Quirk.UNKNOWN else by_registers

    def multifunction(self, device: Device) -> bool | None:
        """Say whether the kernel takes a function for one of several.

        A function other than 0 is one of several whatever its header says, and a
        virtual function never is.
        """
        if device.pci.is_virtual:
            return False
        address = device.pci_address
        if address is not None and address.function > 0:
            return True
        bit = device.pci.multifunction
        return bit if known(bit) else None

    def path_isolates(self, bridges: list[Device]) -> bool | None:
        """Say whether every bridge of a path isolates (``pci_acs_path_enabled()``)."""
        answers = [self.isolates(bridge) for bridge in bridges]
        if False in answers:
            return False
        return None if None in answers else True

    def newcomer(self, bridges: list[Device]) -> Joins:
        """Say which group a newcomer with one function joins.

        Args:
            bridges: The bridges above it, the nearest first; none on a root bus.
        """
        machine = self.machine
        if not machine.groups_known:
            return Joins(None, None, "the source does not show IOMMU groups")
        if not machine.groups:
            return Joins(None, False, "no IOMMU is at work")
        for bridge in bridges:
            if machine.group_of(bridge) is None and not known(bridge.group):
                untold = f"the source does not tell the group of {bridge.address}"
                return Joins(None, None, untold)
        if bridges and not bridges[-1].is_placed:
            return Joins(None, None, _nowhere(bridges[-1]))
        last, placed = self._above(
            bridges, lambda device: machine.group_of(device) is not None
        )
        if placed is None:
            placed = self._beside(
                last, lambda device: machine.group_of(device) is not None
            )
        if placed.mechanism is Mechanism.UNKNOWN:
            return Joins(None, None, placed.because)
        if placed.joins is None:
            return Joins(None, True, placed.because)
        return Joins(machine.group_of(placed.joins), False, placed.because)

    def newcomer_beside(self, device: Device) -> Joins:
        """Say which group a newcomer on the bus of a device joins."""
        if not device.is_placed:
            return Joins(None, None, _nowhere(device))
        return self.newcomer(self.topology.upwards(device))

    def place(self, device: Device, has_group: HasGroup) -> Placement:
        """Say whose group a device joins when some others have theirs already."""
        address = device.pci_address
        if address is None:
            return Placement(None, Mechanism.UNKNOWN, None, "it is no PCI function")
        if device.is_below_vmd:
            return Placement(
                None,
                Mechanism.UNKNOWN,
                None,
                "which device translates for it is not seen",
            )
        if not device.is_placed:
            return Placement(None, Mechanism.UNKNOWN, None, _nowhere(device))
        last, placed = self._above(self.topology.upwards(device), has_group, device)
        return placed or self._beside(last, has_group)

    def _above(
        self,
        bridges: list[Device],
        has_group: HasGroup,
        device: Device | None = None,
    ) -> tuple[Device | None, Placement | None]:
        """Follow requests to the root: aliases of bridges, then ACS on the path.

        Returns the last device whose isolation counts (``None`` for a newcomer that
        nothing hides), and the placement if that is settled.
        """
        last, start = device, 0
        for index, bridge in enumerate(bridges):
            alias = bridge_alias(bridge)
            if alias is BridgeAlias.UNKNOWN:
                return last, _untold(self.machine, [bridge])
            if alias is BridgeAlias.TAKES_OVER:
                because = (
                    f"the bridge {bridge.address} puts its own requester id on what "
                    "passes"
                )
                if has_group(bridge):
                    found = Placement(bridge, Mechanism.DMA_ALIAS, bridge, because)
                    return last, found
                last, start = bridge, index + 1
        for index in range(start, len(bridges)):
            isolated = self.path_isolates(bridges[index:])
            if isolated:
                break
            if isolated is None:
                return last, _untold(self.machine, bridges[index:])
            last = bridges[index]
            if has_group(last):
                leak = self._first_leak(bridges[index:])
                because = f"{leak.address} has no ACS in effect towards its peers"
                return last, Placement(last, Mechanism.ACS_PATH, leak, because)
        return last, None

    def _first_leak(self, bridges: list[Device]) -> Device:
        return next(bridge for bridge in bridges if self.isolates(bridge) is False)

    def _beside(self, last: Device | None, has_group: HasGroup) -> Placement:
        """Look at the neighbours of the last device: quirks, functions of its slot."""
        alone = Placement(
            None, Mechanism.ALONE, None, "every port above it isolates it (ACS)"
        )
        if last is None:
            return alone
        found = self._by_quirk(last, has_group, frozenset())
        return found or self._by_function(last, has_group, frozenset()) or alone

    @cached_property
    def _buses(self) -> dict[tuple[int, int], list[_OnBus]]:
        found: dict[tuple[int, int], list[_OnBus]] = {}
        for device, address in self.topology.addressed:
            number = address.slot << 3 | address.function
            on_bus = _OnBus(device, number, alias_devfns(device))
            found.setdefault((address.domain, address.bus), []).append(on_bus)
        return found

    def _bus_of(self, device: Device) -> list[_OnBus]:
        here = device.pci_address
        return [] if here is None else self._buses.get((here.domain, here.bus), [])

    def _by_quirk(
        self, device: Device, has_group: HasGroup, seen: frozenset[str]
    ) -> Placement | None:
        if device.address in seen:
            return None
        seen |= {device.address}
        mine, aliases = devfn(device), alias_devfns(device)
        for beside in self._bus_of(device):
            other = beside.device
            if other is device:
                continue
            if aliases is None or beside.aliases is None:
                return _untold(self.machine, [device, other])
            if beside.devfn not in aliases and mine not in beside.aliases:
                continue
            because = f"{device.address} and {other.address} use one requester id"
            if has_group(other):
                return Placement(other, Mechanism.ALIAS_QUIRK, device, because)
            found = self._by_quirk(other, has_group, seen)
            found = found or self._by_function(other, has_group, seen)
            if found is not None:
                return found
        return None

    def _by_function(
        self, device: Device, has_group: HasGroup, seen: frozenset[str]
    ) -> Placement | None:
        several = self.multifunction(device)
        if several is False:
            return None
        siblings = [
            beside.device
            for beside in self._bus_of(device)
            if beside.device is not device
            and same_slot(beside.device, device)
            and not self.isolates(beside.device)
        ]
        if not siblings:
            return None
        isolated = self.isolates(device)
        if isolated:
            return None
        if isolated is None or several is None:
            return _untold(self.machine, [device])
        for other in siblings:
            if self.isolates(other) is None:
                return _untold(self.machine, [other])
            because = _not_isolated_functions(device, other)
            if has_group(other):
                return Placement(other, Mechanism.MULTIFUNCTION, device, because)
            found = self._by_quirk(other, has_group, seen)
            if found is not None:
                return found
        return None


def _isolates_by_registers(device: Device, multifunction: bool | None) -> bool | None:
    kind = device.pci.pcie_type
    if not known(kind):
        return None
    if kind is None or kind in _CONVENTIONAL_BRIDGES:
        return False
    if kind not in (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM):
        if multifunction is None:
            return None
        if not multifunction:
            return True
    acs = device.pci.acs
    if not known(acs):
        return None
    return acs is not None and has_required(acs)


def _not_isolated_functions(one: Device, other: Device) -> str:
    """Say why two functions of one slot share a group."""
    return (
        f"{one.address} and {other.address} are functions of one slot, and neither has "
        "ACS in effect towards the other"
    )


def same_slot(one: Device, other: Device) -> bool:
    """Say whether two functions have the same slot number (their buses not asked)."""
    first, second = devfn(one), devfn(other)
    return first is not None and second is not None and first >> 3 == second >> 3


def _nowhere(device: Device) -> str:
    return f"the source does not show which bridges are above {device.address}"


def _untold(machine: Machine, devices: list[Device]) -> Placement:
    names = ", ".join(device.address for device in devices)
    nameless = [d for d in devices if not known(d.ids.vendor)]
    if nameless:
        because = (
            f"the source does not show the vendor and device ids of "
            f"{nameless[0].address}, and so not which quirks of the kernel apply to it"
        )
        return Placement(None, Mechanism.UNKNOWN, nameless[0], because)
    hidden = next((d for d in devices if not known(d.pci.acs)), devices[0])
    because = f"whether {names} isolates cannot be told: {why_unseen(machine, hidden)}"
    return Placement(None, Mechanism.UNKNOWN, devices[0], because)
