"""Which devices share more with a target than its IOMMU group."""

from __future__ import annotations

from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device, Machine
from iommu_inspect.rules.case import Case

__all__ = ["asked_for", "functions_of_slot", "host_keeps", "wanted_devices"]


def functions_of_slot(machine: Machine, device: Device) -> tuple[Device, ...]:
    """Return the other functions of a device's slot, virtual ones left out."""
    own = device.pci_address
    if own is None:
        return ()
    return tuple(
        other
        for other in machine.devices
        if other is not device
        and not other.pci.is_virtual
        and (address := other.pci_address) is not None
        and address.slot_name == own.slot_name
    )


def host_keeps(device: Device) -> bool:
    """Say whether a driver of the host is bound for certain."""
    if device.driver is None or not known(device.driver):
        return False
    return has_vfio_driver(device) is False


def asked_for(case: Case, device: Device) -> bool:
    """Say whether a device was asked for, by itself or with its group."""
    group = case.machine.group_of(device)
    return case.is_target(device) or (
        group is not None and group.id in case.whole_groups
    )


def wanted_devices(case: Case) -> tuple[Device, ...]:
    """Return the devices asked for: those named, and endpoints of groups named."""
    return tuple(
        device
        for device in case.machine.devices
        if asked_for(case, device)
        and (case.is_target(device) or device.is_bridge is not True)
    )
