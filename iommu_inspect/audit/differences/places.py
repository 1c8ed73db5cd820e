"""Where a device sits, in words that do not change when buses are numbered anew."""

from __future__ import annotations

from collections import Counter

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress

__all__ = ["Place", "places"]

Place = tuple[str, ...]
"""The root bus, then slot and function of each bridge on the way, and its own."""


def places(machine: Machine) -> dict[DeviceId, Place]:
    """Return the places of the PCI functions whose way up to a root bus is shown.

    A virtual function sits where its physical one does, and a distance of requester
    ids away from it: they are numbered in one row. A place that two have is none.
    """
    found = {d.id: place for d in machine.devices if (place := _place(d))}
    for device in machine.devices:
        owner = value_or(device.pci.physfn, None)
        if owner is None or device.id not in found:
            continue
        del found[device.id]
        if owner in found and (apart := _apart(device.id, owner)) is not None:
            found[device.id] = (*found[owner], f"virtual {apart}")
    taken = Counter(found.values())
    return {name: place for name, place in found.items() if taken[place] == 1}


def _place(device: Device) -> Place | None:
    address = device.pci_address
    if address is None:
        return None
    if known(device.path) and device.is_placed:
        return _of_path(device.path)
    # No bridge leads to bus 0: whatever is on it is on a root bus.
    if address.bus == 0:
        root = f"pci{address.domain:04x}:00"
        return (root, f"{address.slot:02x}.{address.function}")
    return None


def _of_path(path: str) -> Place | None:
    """Begin at the root bus; one below a function (VMD) has a number that may change.

    ``sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0``
    """
    found: list[str] = []
    for part in path.split("/"):
        address = PciAddress.parse(part)
        if address is not None and found:
            found.append(f"{address.slot:02x}.{address.function}")
        elif part.startswith("pci") and ":" in part:
            found.append("pci" if found else part)
        elif found:
            found.append(part)
    return tuple(found) if len(found) > 1 else None


def _apart(virtual: DeviceId, physical: DeviceId) -> int | None:
    one, other = virtual.pci, physical.pci
    if one is None or other is None:
        return None
    return _requester(one) - _requester(other)


def _requester(address: PciAddress) -> int:
    return address.bus << 8 | address.slot << 3 | address.function
