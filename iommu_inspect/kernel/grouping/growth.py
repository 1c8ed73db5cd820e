"""Whether a group can grow while the host runs, and through what.

The kernel has no concept of a group that stays alone: "cannot grow" is a heuristic,
drawn from ports, bridges and capabilities.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from functools import cached_property

from iommu_inspect.kernel.grouping.making.joining import Grouping, Joins
from iommu_inspect.kernel.grouping.making.vmd import is_vmd
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, unread, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.pci.regs import PciExpType

__all__ = ["Growing", "Growth", "Way"]

_LAST_SLOT = 31
_LAST_FUNCTION = 7


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which a group grows: the device it goes through, and how."""

    address: str
    how: str


@dataclass(frozen=True, slots=True)
class Growth:
    """The ways in which a group can grow, and what could not be told."""

    through: tuple[Way, ...]
    untold: tuple[Way, ...]

    @property
    def can_grow(self) -> bool | None:
        """Say whether a way is seen; ``None`` where only some could not be told."""
        return True if self.through else None if self.untold else False


class Growing:
    """Answers how the groups of one machine can grow; its ways are looked for once."""

    def __init__(self, grouping: Grouping) -> None:
        self._grouping = grouping

    def growth(self, group: Group) -> Growth:
        """Look for ways in which a device could join a group."""
        grouping = self._grouping
        ways, untold = list(self._ways[group.id]), list(self._untold[group.id])
        for device in group.devices:
            ways += _by_rescan(grouping, device)
            untold += _perhaps_by_rescan(grouping, device)
        for device in self._lost:
            why = "its place or its group could not be read"
            untold.append(Way(device.address, why))
        if any(not device.is_pci for device in group.devices):
            why = "its bus or its IOMMU decides what joins (stream ids, containers)"
            untold += [Way(d.address, why) for d in group.devices if not d.is_pci]
        return Growth(tuple(ways), tuple(dict.fromkeys(untold)))

    @cached_property
    def _lost(self) -> tuple[Device, ...]:
        """The functions of which it is not told where they are, or with whom."""
        return tuple(
            device
            for device in self._grouping.machine.devices
            if device.is_pci and (unread(device.path) or unread(device.group))
        )

    @cached_property
    def _ways(self) -> dict[str, list[Way]]:
        """The ways of which it is known which group a newcomer joins."""
        found: dict[str, list[Way]] = defaultdict(list)
        for _, way, joins in self._all_ways:
            if joins.new is not None and joins.group is not None:
                found[joins.group.id].append(way)
        return found

    @cached_property
    def _untold(self) -> dict[str, list[Way]]:
        """The others: a newcomer can join the group of a bridge above it, if any."""
        found: dict[str, list[Way]] = defaultdict(list)
        for device, way, joins in self._all_ways:
            if joins.new is None:
                for name in _could_join(self._grouping, device):
                    found[name].append(Way(way.address, joins.because))
        return found

    @cached_property
    def _all_ways(self) -> tuple[tuple[Device, Way, Joins], ...]:
        return tuple(
            (device, way, joins)
            for device in self._grouping.machine.devices
            for way, joins in _ways_through(self._grouping, device, self._lost)
        )


def _ways_through(
    grouping: Grouping, device: Device, lost: Iterable[Device]
) -> Iterator[tuple[Way, Joins]]:
    """Yield the ways that a device opens, and which group a newcomer there joins."""
    topology = grouping.topology
    if device.is_bridge is True:
        how = _free_slot(grouping, device, lost)
        if how is not None:
            bridges = [device, *topology.upwards(device)]
            yield Way(device.address, how), grouping.newcomer(bridges)
    elif device.is_pci and not known(device.is_bridge):
        how = "whether it is a bridge with a free slot cannot be told"
        yield Way(device.address, how), Joins(None, None, how)
    sriov, virtfns = device.pci.sriov, device.pci.virtfns
    if sriov is None or value_or(virtfns, ()):
        return
    if unread(virtfns) and known(sriov) and sriov.total_vfs:
        how = "whether its virtual functions are there already could not be read"
        yield Way(device.address, how), Joins(None, None, how)
    elif not known(sriov):
        yield from _perhaps_sriov(grouping, device)
    elif sriov.total_vfs:
        how = f"SR-IOV: up to {sriov.total_vfs} virtual functions"
        yield Way(device.address, how), grouping.newcomer_beside(device)


def _perhaps_sriov(grouping: Grouping, device: Device) -> Iterator[tuple[Way, Joins]]:
    """Yield a way that cannot be told: virtual functions that may be possible.

    Where every port above isolates, they would have groups of their own.
    """
    if not device.is_pci or device.is_bridge is True or device.pci.is_virtual:
        return
    if grouping.newcomer_beside(device).new is True:
        return
    how = "whether it has SR-IOV cannot be told without its configuration space"
    yield Way(device.address, how), Joins(None, None, how)


def _free_slot(
    grouping: Grouping, bridge: Device, lost: Iterable[Device]
) -> str | None:
    """Say how a card can come below a bridge, ``None`` if there is no room.

    ``lost`` are functions whose place is not told; their addresses tell their bus.
    """
    below = [*grouping.topology.children(bridge), *_on_its_bus(bridge, lost)]
    kind = bridge.pci.pcie_type
    if not known(kind):
        return "what kind of bridge it is cannot be told"
    if kind == PciExpType.UPSTREAM:
        return None  # its bus holds the switch's own ports
    if kind in (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM):
        if below:
            return None
        if bridge.pci.hotplug_slot is True:
            # The kernel calls removable what is below a port that firmware marks as
            # external (pci_set_removable() in drivers/pci/probe.c).
            outside = bridge.removable == "removable"
            where = ", on a device outside the host (Thunderbolt, USB4)"
            return "hot-plug slot, empty" + (where if outside else "")
        if not known(bridge.pci.hotplug_slot):
            return "empty port, perhaps with a hot-plug slot"
        return None  # nothing can be plugged in while the host runs
    slots = {a.slot for a in (d.pci_address for d in below) if a is not None}
    return "conventional bus with free slots" if len(slots) < _LAST_SLOT else None


def _on_its_bus(bridge: Device, lost: Iterable[Device]) -> Iterator[Device]:
    above, bus = bridge.pci_address, value_or(bridge.pci.secondary_bus, None)
    for device in lost:
        address = device.pci_address
        if above is None or address is None:
            continue
        if (address.domain, address.bus) == (above.domain, bus):
            yield device


def _could_join(grouping: Grouping, device: Device) -> frozenset[str]:
    above = [device, *grouping.topology.upwards(device)]
    groups = (grouping.machine.group_of(bridge) for bridge in above)
    return frozenset(group.id for group in groups if group is not None)


def _by_rescan(grouping: Grouping, device: Device) -> Iterator[Way]:
    """A function with siblings that are hidden or new finds them at the next scan."""
    if grouping.otherwise is not None:
        return
    several = device.pci.multifunction is True
    if several and _has_room(grouping, device) and grouping.isolates(device) is False:
        yield Way(device.address, "functions of its slot that a rescan finds")
    if device.driver == "vmd" or is_vmd(device):
        yield Way(device.address, "VMD: the devices behind it, once its driver binds")


def _perhaps_by_rescan(grouping: Grouping, device: Device) -> Iterator[Way]:
    if grouping.otherwise is not None:
        if device.is_pci and not grouping.otherwise.alone:
            yield Way(device.address, grouping.otherwise.because)
        return
    if not _has_room(grouping, device):
        return
    isolated = grouping.isolates(device)
    if not known(device.pci.multifunction) and isolated is not True:
        how = "whether its slot holds more functions, which a rescan would find"
        yield Way(device.address, f"{how}, cannot be told")
    elif isolated is None:
        how = "whether it isolates functions of its slot, should a rescan find more"
        yield Way(device.address, f"{how}, cannot be told")


def _has_room(grouping: Grouping, device: Device) -> bool:
    """Say whether a function is the first of a slot that may hold more of them.

    Where the multi-function bit is not shown, the slot may.
    """
    address = device.pci_address
    if address is None or address.function != 0 or device.is_bridge is True:
        return False
    if device.pci.is_virtual or device.pci.multifunction is False:
        return False
    return len(grouping.machine.in_slot(address)) <= _LAST_FUNCTION
