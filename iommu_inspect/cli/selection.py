"""Which groups and devices a person wants to see."""

from __future__ import annotations

from dataclasses import dataclass

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.roles import ownership
from iommu_inspect.model.address import PciAddress
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device, Group, Machine
from iommu_inspect.model.pci_class import class_name
from iommu_inspect.model.target import UnknownTargetError, find_target

__all__ = ["Selection", "check_exists", "select"]


@dataclass(frozen=True, slots=True)
class Selection:
    """Filters; ``None`` lets everything through, several must all fit."""

    group: str | None = None
    device: str | None = None
    driver: str | None = None
    pci_class: str | None = None
    ownership: str | None = None

    @property
    def wants_groups(self) -> bool:
        """Say whether devices without a group cannot fit."""
        return self.group is not None or self.ownership is not None

    def fits(self, device: Device) -> bool:
        """Say whether a device passes the filters on devices."""
        return (
            (self.device is None or _named(device, self.device))
            and (self.driver is None or device.driver == self.driver)
            and (self.pci_class is None or _of_class(device, self.pci_class))
        )


def select(
    machine: Machine, semantics: Semantics, wanted: Selection
) -> tuple[tuple[Group, ...], tuple[Device, ...]]:
    """Return the groups, with the devices that fit, and the ungrouped devices.

    A group of which no device fits is left out; a group's ownership is always that
    of all its members, so filter first by it.
    """
    filtering = wanted != Selection()
    groups = []
    for group in machine.groups:
        if wanted.group is not None and group.id != wanted.group:
            continue
        if wanted.ownership not in (None, ownership(group, semantics).value):
            continue
        if any(wanted.fits(d) for d in group.devices) or not filtering:
            groups.append(group)
    ungrouped = tuple(
        d for d in machine.ungrouped if not wanted.wants_groups and wanted.fits(d)
    )
    return tuple(groups), ungrouped


def _named(device: Device, text: str) -> bool:
    address = PciAddress.parse(text)
    if address is not None:
        return device.pci_address == address
    words = (device.address, device.vendor_name, device.name)
    return any(text.lower() in word.lower() for word in words if word)


def _of_class(device: Device, text: str) -> bool:
    code = device.ids.class_code
    if not known(code):
        return False
    wanted = text.lower().removeprefix("0x")
    name = class_name(code) or ""
    return f"{code:06x}".startswith(wanted) or wanted in name.lower()


def check_exists(machine: Machine, text: str) -> None:
    """Refuse a group or device that is nowhere, with what is near it.

    Raises:
        UnknownTargetError: nothing fits; that several devices fit is no error here.
    """
    try:
        find_target(machine, text)
    except UnknownTargetError as error:
        if not error.several:
            raise
