"""Which functions are one card: what a guest may see at one slot of its own."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress

__all__ = ["on_a_root_bus", "same_card"]


def same_card(machine: Machine, device: Device) -> tuple[Device, ...]:
    """Return the functions of the device's card, itself among them, in their order.

    A card is what sits in one slot behind a port. Functions on a root bus are parts
    of the chipset or of a processor that happen to share a slot number, and a virtual
    function is whole by itself. Where the source does not show what is above the
    device, only what cannot be anything else counts as a card.
    """
    own = device.pci_address
    if own is None or device.pci.is_virtual or on_a_root_bus(device) is True:
        return (device,)
    slot = [
        (address, other)
        for other in machine.in_slot(own)
        if (address := other.pci_address) and not other.pci.is_virtual
    ]
    if on_a_root_bus(device) is not False and not _only_a_card(machine, own, slot):
        return (device,)
    return tuple(other for _, other in sorted(slot, key=lambda pair: pair[0]))


def on_a_root_bus(device: Device) -> bool | None:
    """Say whether nothing but a host bridge is above; ``None`` if it is not told.

    ``sys/devices/pci0000:80/0000:80:1f.6`` is on a root bus,
    ``.../0000:00:1c.0/0000:01:00.0`` is not. What is behind a VMD is on a root bus
    of its own.
    """
    if not known(device.path) or not device.is_placed:
        return None
    above = device.path.split("/")[-2]
    if PciAddress.parse(above) is not None:
        return False
    return True if above.startswith("pci") else None


def _only_a_card(
    machine: Machine, own: PciAddress, slot: list[tuple[PciAddress, Device]]
) -> bool:
    """Judge a slot whose place is not told.

    A bridge that names the bus as its second decides. Without one: behind a port of
    PCI Express there is only slot 0, and in slot 0 of a root bus a part of the
    chipset.
    """
    if machine.names_bus(own):
        return True
    chipset = any(o.is_chipset or o.is_bridge is not False for _, o in slot)
    return own.bus != 0 and own.slot == 0 and not chipset
