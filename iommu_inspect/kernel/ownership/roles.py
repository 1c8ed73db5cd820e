"""Who counts as a DMA user of a group, and what that makes of the group."""

from __future__ import annotations

import enum
from collections.abc import Iterable
from functools import cached_property

from iommu_inspect.kernel.drivers import (
    COUNTING_BUSES,
    KNOWN_MANAGED_DRIVERS,
    SILENT_BUSES,
)
from iommu_inspect.kernel.eras import Bridges, Era
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group

__all__ = [
    "GroupOwnership",
    "Ownership",
    "Role",
    "role",
    "summed",
]


class Role(enum.Enum):
    """What a member is to its group's DMA ownership."""

    VFIO = "vfio"
    MANAGED = "managed"
    KERNEL = "kernel"
    NONE = "none"
    UNENFORCED = "unenforced"
    UNKNOWN = "unknown"


class Ownership(enum.Enum):
    """Who owns a group's DMA, as far as driver bindings tell."""

    NONE = "none"
    KERNEL = "kernel"
    USER = "user"
    CONFLICT = "conflict"
    UNKNOWN = "unknown"


def role(device: Device, era: Era) -> Role:
    """Classify one member under the rules of one era.

    Since v5.19 a bound driver counts as the kernel's unless it says that it
    manages its own DMA, whether or not it does any (``really_probe()`` through
    the bus's ``dma_configure``). Before, ``vfio_dev_viable()`` tolerated every
    bridge whatever its driver (before v4.4 fewer: ``Bridges``), and ``pci-stub``.
    """
    vfio = has_vfio_driver(device)
    if vfio:
        return Role.VFIO
    if device.driver is None:
        return Role.NONE
    if era.dma_owner:
        return _role_since_5_19(device, era)
    return _role_before_5_19(device, era)


def _role_before_5_19(device: Device, era: Era) -> Role:
    is_bridge = device.is_bridge
    if is_bridge is True and era.bridges is Bridges.ANY:
        return Role.MANAGED
    if not known(device.driver) or device.driver is None:
        return Role.UNKNOWN
    driver = normalised(device.driver)
    if driver == "pci_stub" or (driver, era.bridges) == ("pcieport", Bridges.PORTS):
        return Role.MANAGED
    if (driver, era.bridges) == ("pcieport", Bridges.UNTOLD):
        return Role.UNKNOWN
    if has_vfio_driver(device) is None or not known(is_bridge):
        return Role.UNKNOWN
    return Role.KERNEL


def _role_since_5_19(device: Device, era: Era) -> Role:
    driver, bus = device.driver, device.bus
    if driver is None or not known(driver) or not known(bus):
        return Role.UNKNOWN
    managed = KNOWN_MANAGED_DRIVERS.get((bus, normalised(driver)))
    if managed is not None:
        certainly, not_before = managed
        if era.since >= certainly:
            return Role.MANAGED
        return Role.UNKNOWN if era.since >= not_before else Role.KERNEL
    if has_vfio_driver(device) is None:
        return Role.UNKNOWN
    if bus in COUNTING_BUSES:
        return Role.KERNEL
    return Role.UNENFORCED if bus in SILENT_BUSES else Role.UNKNOWN


@dataclass(frozen=True)
class GroupOwnership:
    """The members of a group by what they are to its DMA ownership."""

    group: Group
    members: tuple[tuple[Device, Role], ...]

    @classmethod
    def of(cls, group: Group, era: Era) -> GroupOwnership:
        """Classify the group's members under one era's rules."""
        return cls(group, tuple((d, role(d, era)) for d in group.devices))

    def having(self, wanted: Role) -> tuple[Device, ...]:
        """Return the members of one role, in the group's order."""
        return self._by_role.get(wanted, ())

    @cached_property
    def _by_role(self) -> dict[Role, tuple[Device, ...]]:
        found: dict[Role, list[Device]] = {}
        for device, is_role in self.members:
            found.setdefault(is_role, []).append(device)
        return {is_role: tuple(devices) for is_role, devices in found.items()}

    @property
    def state(self) -> Ownership:
        """Sum the members up; a member that could be either leaves it unknown."""
        user = bool(self.having(Role.VFIO))
        kernel = bool(self.having(Role.KERNEL))
        if user and kernel:
            return Ownership.CONFLICT
        if self.having(Role.UNKNOWN) or not self.group.whole:
            return Ownership.UNKNOWN
        if user:
            return Ownership.USER
        return Ownership.KERNEL if kernel else Ownership.NONE


def summed(owners: Iterable[GroupOwnership]) -> Ownership:
    """Sum up one group under several eras; unknown where they differ."""
    states = {each.state for each in owners}
    return states.pop() if len(states) == 1 else Ownership.UNKNOWN
