"""Whether two devices can be the same one, as far as a source shows what they are."""

from __future__ import annotations

from collections.abc import Hashable

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known

__all__ = ["kind_of", "known_ids", "may_be", "subsystem"]

_NO_DEVICE = 0xFFFF


def may_be(old: Device, new: Device) -> bool:
    """Say whether nothing that both sources show tells two devices apart.

    The class counts only where ids are not shown: firmware and drivers change it.
    """
    mine, theirs = known_ids(old), known_ids(new)
    if mine is None or theirs is None:
        kinds = (old.base_class, new.base_class)
        return not all(map(known, kinds)) or kinds[0] == kinds[1]
    subsystems = (subsystem(old), subsystem(new))
    return mine == theirs and (None in subsystems or subsystems[0] == subsystems[1])


def known_ids(device: Device) -> tuple[int, int] | None:
    """Return vendor and device; all ones are what a dead device reads as."""
    vendor, number = device.ids.vendor, device.ids.device
    if not known(vendor) or not known(number) or vendor == _NO_DEVICE:
        return None
    return (vendor, number)


def subsystem(device: Device) -> tuple[int, int] | None:
    """Return the ids of the card's maker; texts do not show those that are 0."""
    vendor, number = device.ids.subsystem_vendor, device.ids.subsystem_device
    if not known(vendor) or not known(number):
        return None
    return (vendor, number) if vendor and vendor != _NO_DEVICE else None


def kind_of(device: Device) -> Hashable:
    """Return what alike functions have in common; ``None`` where it is not shown."""
    ids, address = known_ids(device), device.pci_address
    if ids is None or address is None:
        return None
    # Virtual functions of one card are alike in any number.
    return (*ids, None if device.pci.is_virtual else address.function)
