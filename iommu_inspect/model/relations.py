"""What hangs below a device and goes when its driver lets go of it."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.machine import Machine

__all__ = ["Relations"]


class Relations:
    """Answers about the devices of one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine

    def below(self, device: Device) -> tuple[Device, ...]:
        """Return the devices that vanish when a device's driver lets go of it.

        They are what it has below it in sysfs (the domain behind a Volume Management
        Device, mediated devices), and a physical function's virtual ones. Below a
        bridge nothing vanishes: it goes on forwarding without a driver.
        """
        found = {each.id: each for each in self._inside(device)}
        for name in value_or(device.pci.virtfns, ()):
            if (virtual := self._machine.device(name)) is not None:
                found[virtual.id] = virtual
                found |= {each.id: each for each in self._inside(virtual)}
        return tuple(found[name] for name in sorted(found))

    def _inside(self, device: Device) -> tuple[Device, ...]:
        return () if device.is_bridge is True else self._machine.inside(device)
