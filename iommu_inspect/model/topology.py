"""Where devices sit: the tree that the directories of sysfs are."""

from __future__ import annotations

from functools import cached_property

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress

__all__ = ["Topology"]


class Topology:
    """Answers what is above and below a device of one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._by_path = {
            device.path: device for device in machine.devices if known(device.path)
        }

    def parent(self, device: Device) -> Device | None:
        """Return the bridge above a device, ``None`` on a root bus."""
        if not known(device.path):
            return None
        return self._by_path.get(device.path.rpartition("/")[0])

    def upwards(self, device: Device) -> list[Device]:
        """Return the bridges above a device, the nearest first."""
        found = []
        above = self.parent(device)
        while above is not None:
            found.append(above)
            above = self.parent(above)
        return found

    def children(self, device: Device) -> tuple[Device, ...]:
        """Return the devices directly below a bridge, in their order."""
        if not known(device.path):
            return ()
        return self._children.get(device.path, ())

    def siblings(self, device: Device) -> tuple[Device, ...]:
        """Return the other devices of the same bus or root."""
        if not known(device.path):
            return ()
        beside = self._children.get(device.path.rpartition("/")[0], ())
        return tuple(other for other in beside if other is not device)

    @cached_property
    def _children(self) -> dict[str, tuple[Device, ...]]:
        found: dict[str, list[Device]] = {}
        for path, device in self._by_path.items():
            found.setdefault(path.rpartition("/")[0], []).append(device)
        return {above: tuple(below) for above, below in found.items()}

    @cached_property
    def addressed(self) -> list[tuple[Device, PciAddress]]:
        """Every PCI function with its address, in the order of the addresses."""
        found = [(d, a) for d in self._by_path.values() if (a := d.pci_address)]
        return sorted(found, key=lambda pair: pair[1])

    def subtree(self, device: Device) -> tuple[Device, ...]:
        """Return a device and everything below it."""
        return (device, *self._machine.inside(device))
