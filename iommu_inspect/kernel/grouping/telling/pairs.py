"""What joins two devices of one group, or keeps those of two groups apart.

The kernel's groups are given; here is what happens on the wires. Sentences name whole
addresses and end without a full stop.
"""

from __future__ import annotations

from iommu_inspect.kernel.grouping.acs.off import controls_off
from iommu_inspect.kernel.grouping.acs.unseen import root_would_see
from iommu_inspect.kernel.grouping.making.dma_aliases import BridgeAlias, bridge_alias
from iommu_inspect.kernel.grouping.making.joining import Grouping, same_slot
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress

__all__ = [
    "Ends",
    "apart",
    "joined_by_acs",
    "joined_by_alias",
    "joined_by_slot",
    "vmd_above",
]

_UNEXPLAINED = "the kernel's group counts, and nothing that is seen here explains it"


class Ends:
    """Two PCI functions, what is above each of them, and where their ways meet.

    ``own`` and ``theirs`` lead from each up to where the ways meet, ``shared`` from
    there to the root. One of the first two is empty if one device is above the other.
    """

    def __init__(self, grouping: Grouping, one: Device, other: Device) -> None:
        self.one, self.other, self.machine = one, other, grouping.machine
        first = [one, *grouping.topology.upwards(one)]
        second = [other, *grouping.topology.upwards(other)]
        self.shared = [device for device in first if device in second]
        self.own = [device for device in first if device not in second]
        self.theirs = [device for device in second if device not in first]

    @property
    def neighbours(self) -> tuple[Device, Device] | None:
        """The two devices of the bus where the ways meet, each above its end."""
        if not self.own or not self.theirs:
            return None
        return self.own[-1], self.theirs[-1]


def vmd_above(machine: Machine, device: Device) -> Device | None:
    """Return the VMD that a function is behind, if the source shows it."""
    if not known(device.path) or not device.is_below_vmd:
        return None
    parts = device.path.split("/")
    for index in range(len(parts) - 1, 0, -1):
        above = "/".join(parts[:index])
        if parts[index].startswith("pci") and PciAddress.parse(parts[index - 1]):
            return machine.at(above)
    return None


def joined_by_alias(ends: Ends) -> tuple[Device, str] | None:
    """Find the bridge that gives the requests of both one requester id."""
    one, other = ends.one, ends.other
    for bridge in ends.shared:
        alias = bridge_alias(bridge, ends.machine)
        if alias is BridgeAlias.ROOT:
            return None
        if alias is not BridgeAlias.TAKES_OVER:
            continue
        if bridge in (one, other):
            below = other if bridge is one else one
            return bridge, (
                f"the bridge {bridge.address} passes requests of {below.address} on "
                "under a requester id of its own, so the IOMMU takes the two for one"
            )
        return bridge, (
            f"requests of {one.address} and {other.address} carry the same requester "
            f"id above the bridge {bridge.address}, so the IOMMU cannot tell them apart"
        )
    return None


def joined_by_slot(grouping: Grouping, ends: Ends) -> tuple[Device, str] | None:
    """Find functions of one slot that do not isolate, both devices there or below."""
    if ends.neighbours is None or not same_slot(*ends.neighbours):
        return None
    first, second = ends.neighbours
    if grouping.isolates(first) is not False or grouping.isolates(second) is not False:
        return None
    because = f"{first.address} and {second.address} are functions of one slot"
    sides = zip((first, second), (ends.one, ends.other), strict=True)
    above = [
        f"{port.address} above {end.address}" for port, end in sides if port != end
    ]
    if above:
        because += f" ({', '.join(above)})"
    return first, (
        f"{because}, and neither has ACS in effect: requests can go from one to the "
        "other inside the slot, where the IOMMU does not see them"
    )


def joined_by_acs(grouping: Grouping, ends: Ends) -> tuple[Device, str] | None:
    """Find the port that lets requests of one device reach the other directly."""
    if ends.neighbours is None:
        return _joined_upwards(grouping, ends)
    for side, end in ((ends.own, ends.one), (ends.theirs, ends.other)):
        port, beyond = side[-1], (ends.theirs if side is ends.own else ends.own)[-1]
        if port is end or not _leaks(grouping, port):
            continue
        target = ends.other if end is ends.one else ends.one
        where = beyond.address
        if beyond is not target:
            where += f", above {target.address}"
        return port, (
            f"{port.address} above {end.address} {_defect(port)}: it can send requests "
            f"of {end.address} straight to {where}, and the IOMMU never sees them"
        )
    turning = _leaking(grouping, ends)
    if turning is None:
        return None
    return (
        turning,
        f"{turning.address} above both {_defect(turning)}: it can turn requests of "
        f"{ends.one.address} round to {ends.other.address} before the IOMMU sees them",
    )


def _leaking(grouping: Grouping, ends: Ends) -> Device | None:
    """Return the nearest port above both that does not isolate."""
    return next((port for port in ends.shared if _leaks(grouping, port)), None)


def _joined_upwards(grouping: Grouping, ends: Ends) -> tuple[Device, str] | None:
    """Say why a bridge is in the group of something below it."""
    bridge = ends.one if not ends.own else ends.other
    below = ends.other if not ends.own else ends.one
    if _leaks(grouping, bridge):
        return bridge, (
            f"{bridge.address} is above {below.address} and {_defect(bridge)}: nothing "
            f"makes it pass every request of {below.address} on to the IOMMU"
        )
    port = _leaking(grouping, ends)
    if port is None:
        return None
    return (
        port,
        f"{bridge.address} is on the way of {below.address} up to {port.address}, "
        f"which {_defect(port)}",
    )


def _leaks(grouping: Grouping, port: Device) -> bool:
    passes = bridge_alias(port, grouping.machine) in (
        BridgeAlias.NONE,
        BridgeAlias.ROOT,
    )
    return passes and grouping.isolates(port) is False


def _defect(device: Device) -> str:
    """Say what a function that does not isolate lacks; goes on after its name."""
    if device.pci.acs is None:
        return "has no ACS"
    if controls_off(device):
        return "has ACS that is not switched on"
    return "does not isolate, as the kernel's quirks have it"


def apart(grouping: Grouping, one: Device, other: Device) -> str:
    """Say why two devices have groups of their own."""
    if untold := [device for device in (one, other) if not known(device.bus)]:
        return f"the source does not tell which bus {untold[0].address} is on"
    if not one.is_pci or not other.is_pci:
        return "one of them is no PCI function; how the two are told apart is not shown"
    if one.is_below_vmd or other.is_below_vmd:
        return "one of them is behind a VMD; how the two are told apart is not shown"
    if grouping.otherwise is not None:
        return grouping.otherwise.because
    ends = Ends(grouping, one, other)
    slot = _apart_in_one_slot(grouping, ends)
    if slot is not None:
        return slot
    ports = [_ports(grouping, one), _ports(grouping, other)]
    paths = [grouping.path_isolates(side) for side in ports]
    if None in paths:
        several = [port for side in ports for port in side]
        by_root = any(root_would_see(grouping.machine, port) for port in several)
        return (
            "what keeps them apart cannot be told without the whole configuration "
            "space of the ports above them"
            f"{', which only root can read' if by_root else ''}"
        )
    if any(ports) and paths == [True, True]:
        return (
            "their requests reach the IOMMU under different requester ids, and every "
            "port that could send them elsewhere sends them up (ACS)"
        )
    if ends.neighbours is None:
        return _apart_from_above(grouping, ends)
    first, second = (device.address for device in ends.neighbours)
    if not ends.shared:
        return (
            f"their ways meet only at the root ({first} and {second}), and the kernel "
            "takes the slots of a root bus for separate"
        )
    if grouping.path_isolates(ends.shared):
        return (
            f"their ways meet below {ends.shared[0].address}, from where all ports "
            f"isolate, and the kernel takes the slots there ({first} and {second}) for "
            "separate"
        )
    return _UNEXPLAINED


def _apart_from_above(grouping: Grouping, ends: Ends) -> str:
    """Say why a bridge is not in the group of what is below it."""
    if not grouping.path_isolates(ends.shared):
        return _UNEXPLAINED
    bridge = ends.shared[0].address
    return f"{bridge} is above the other, and every port from there up isolates (ACS)"


def _ports(grouping: Grouping, device: Device) -> list[Device]:
    """Return what is above a device and, if it is, above its topmost alias."""
    above = grouping.topology.upwards(device)
    start = 0
    for number, bridge in enumerate(above):
        alias = bridge_alias(bridge, grouping.machine)
        if alias is BridgeAlias.ROOT:
            break
        if alias is BridgeAlias.TAKES_OVER:
            start = number + 1
    return above[start:]


def _apart_in_one_slot(grouping: Grouping, ends: Ends) -> str | None:
    if ends.neighbours is None:
        return None
    first, second = ends.neighbours
    names = [d.pci_address.slot_name for d in (first, second) if d.pci_address]
    if len(set(names)) != 1:
        return None
    for device in (first, second):
        if grouping.isolates(device):
            return (
                f"{first.address} and {second.address} are functions of one slot, but "
                f"{device.address} keeps its requests from the others of the slot"
            )
    return None
