"""Where the functions of a text sit: paths, from numbers of buses.

Sysfs shows the tree as directories, texts mostly which buses are behind a bridge. A
function whose way up to a root bus is not shown gets the path that sysfs lists it
under (``sys/bus/pci/devices``): it has a place, but nobody knows which.
"""

from __future__ import annotations

from collections import defaultdict

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.regs import (
    PCI_CLASS_BRIDGE_HOST,
    PCI_CLASS_BRIDGE_PCI,
    PciExpType,
    PciHeaderType,
)
from iommu_inspect.sources.text.said import DeviceFacts

__all__ = ["Buses", "Function", "virtual_functions"]

_ON_ROOT_BUSES = (
    PciExpType.ROOT_PORT,
    PciExpType.RC_END,
    PciExpType.RC_EC,
)
# Volume Management Devices number their domains from here (drivers/pci/controller/
# vmd.c); which function is above such a domain, lspci does not show.
_FIRST_VMD_DOMAIN = 0x10000
_MAX_DEPTH = 256
_MAX_VIRTUAL = 1 << 18

Bus = tuple[int, int]


@dataclass(frozen=True, slots=True)
class Function:
    """A PCI function, and what texts say of it."""

    id: DeviceId
    address: PciAddress
    facts: DeviceFacts

    @property
    def named_virtual(self) -> bool:
        """Whether its name says that it is a virtual function."""
        return "Virtual Function" in value_or(self.facts.name, "")


class Buses:
    """The buses of one capture, and the bridges above them."""

    def __init__(self, functions: list[Function]) -> None:
        self._on: dict[Bus, list[Function]] = defaultdict(list)
        self._slots: dict[tuple[int, int, int], list[Function]] = defaultdict(list)
        self._above: dict[Bus, list[Function]] = defaultdict(list)
        self._passed: dict[int, list[range]] = defaultdict(list)
        self._unclear: set[int] = set()
        self._parents: dict[Bus, set[PciAddress]] = defaultdict(set)
        self._roots: set[Bus] = set()
        for function in functions:
            address = function.address
            bus = (address.domain, address.bus)
            self._on[bus].append(function)
            self._slots[(*bus, address.slot)].append(function)
            parent = function.facts.parent
            if parent is None:
                self._roots.add(bus)
            elif known(parent) and parent.pci is not None:
                self._parents[bus].add(parent.pci)
            below = function.facts.buses
            if known(below) and below[0] > 0:
                self._above[(address.domain, below[0])].append(function)
                self._passed[address.domain].append(range(below[0], below[1] + 1))
            elif not known(below) and _may_be_bridge(function):
                self._unclear.add(address.domain)

    def are_all_shown(self, *, open_end: bool) -> bool:
        """Say whether nothing hints that functions were left out (``lspci -s``).

        The first function of a host is there, the way up to a root bus is shown for
        all (VMD and virtual functions apart), and something is behind some bridge if
        there are bridges. Where nothing follows the functions, the last ones may have
        been cut off: then there is a bridge, and nothing is missing behind the last.

        Args:
            open_end: Whether the text ends with its functions.
        """
        here = [function for on_bus in self._on.values() for function in on_bus]
        first = min((f.address for f in here), default=None)
        if first is None or (first.bus, first.slot, first.function) != (0, 0, 0):
            return False
        if self._above and not any(bus in self._on for bus in self._above):
            return False
        if self._unclear or (open_end and self._may_be_cut()):
            return False
        return all(
            self.path(function).startswith("sys/devices/")
            for function in here
            if not function.named_virtual
            and function.address.domain < _FIRST_VMD_DOMAIN
        )

    def _may_be_cut(self) -> bool:
        if not self._above:
            return True
        last = dict(sorted(self._on))
        return any(number > last.get(domain, -1) for domain, number in self._above)

    def slot(self, function: Function) -> list[Function]:
        """Return the functions of a slot, the one given among them."""
        address = function.address
        return self._slots[(address.domain, address.bus, address.slot)]

    def path(self, function: Function, owner: str | None = None) -> str:
        """Return the path that sysfs has, or one in ``sys/bus/pci/devices``.

        Args:
            function: The function.
            owner: For a virtual function the physical one; it is beside that.
        """
        names = [str(function.address)]
        address = PciAddress.parse(owner) if owner else None
        address = address or function.address
        if function.named_virtual and owner is None:
            return f"sys/bus/pci/devices/{names[0]}"
        for _ in range(_MAX_DEPTH):
            bus = (address.domain, address.bus)
            above = self._bridge(address)
            if above is None:
                break
            address = above
            names.insert(0, str(address))
        else:
            return f"sys/bus/pci/devices/{names[-1]}"  # bridges in a circle
        if len(self._above.get(bus, ())) > 1 or not self._is_root(bus):
            return "/".join(["sys/bus/pci/devices", *names])
        root = f"pci{bus[0]:04x}:{bus[1]:02x}"
        return "/".join(["sys/devices", root, *names])

    def _bridge(self, address: PciAddress) -> PciAddress | None:
        """Return the bridge right above a function, if just one can be it."""
        bus = (address.domain, address.bus)
        bridges = self._above.get(bus, [])
        if len(bridges) == 1:
            return bridges[0].address
        parents = self._parents.get(bus, set())
        if not bridges and len(parents) == 1:
            return next(iter(parents))
        return None

    def _is_root(self, bus: Bus) -> bool:
        """Say whether it is known that no bridge is above a bus."""
        domain, number = bus
        if domain >= _FIRST_VMD_DOMAIN:
            return False
        if number == 0 or bus in self._roots:
            return True
        if self._parents.get(bus):
            return False
        if domain in self._unclear or any(number in r for r in self._passed[domain]):
            return False
        return any(
            function.facts.pcie_type in _ON_ROOT_BUSES
            or function.facts.ids.class_code == PCI_CLASS_BRIDGE_HOST << 8
            for function in self._on[bus]
        )


def _may_be_bridge(function: Function) -> bool:
    """Say whether a function without numbers of buses can have buses below it."""
    if function.facts.header_type in (PciHeaderType.BRIDGE, PciHeaderType.CARDBUS):
        return True
    code = function.facts.ids.class_code
    if not known(function.facts.header_type):
        return not known(code) or code >> 8 == PCI_CLASS_BRIDGE_PCI
    return False


def virtual_functions(functions: list[Function]) -> dict[str, str]:
    """Return the physical function of every virtual one that is shown to be one.

    Routing ids count on from the physical function's (PCIe 6.0, 9.2.1.2).
    """
    captured = {function.address for function in functions}
    owners: dict[str, str] = {}
    left = _MAX_VIRTUAL
    for function in functions:
        sriov = function.facts.sriov
        if sriov is None or not known(sriov):
            continue
        own = function.address
        first = (own.bus << 8 | own.slot << 3 | own.function) + sriov.first_offset
        count = min(value_or(function.facts.enabled_vfs, 0), sriov.total_vfs, left)
        left -= count
        for index in range(count):
            routing = first + index * sriov.stride
            if routing > 0xFFFF:
                break
            address = PciAddress(
                own.domain, routing >> 8, routing >> 3 & 31, routing & 7
            )
            if address in captured and address != own:
                owners[str(address)] = str(own)
    return owners
