"""Slots, labels and USB ports: where a function is in the machine.

Only who asks for it has it read: a slot's address is a file each. ``label`` is what
SMBIOS or an ACPI method says (drivers/pci/pci-label.c), as `lspci -v` asks it;
``maxchild`` is the number of ports of a root hub (drivers/usb/core/sysfs.c).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.place import Place
from iommu_inspect.model.text import natural_key
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["with_places"]

SLOTS = "sys/bus/pci/slots"
# address_read_file() in drivers/pci/slot.c: "0000:01:00", and "0000:01" of a whole bus.
_ADDRESS = re.compile(r"[0-9a-f]{4,8}:[0-9a-f]{2}(?::[0-9a-f]{2})?")
_BUS = re.compile(r"usb[0-9]{1,4}")
_USB_CONTROLLER = 0x0C03


def with_places(tree: Tree, machine: Machine) -> Machine:
    """Return the machine with the places of the functions that have one."""
    slots = _slots(tree)
    functions = [device for device in machine.devices if device.is_pci]
    tree.read_ahead(
        f"{device.path}/label" for device in functions if known(device.path)
    )
    found = {}
    for device in functions:
        place = _place(tree, device, slots)
        if place != Place():
            found[device.id] = place
    return replace(machine, places=_sorted(found))


def _sorted(found: Mapping[DeviceId, Place]) -> tuple[tuple[DeviceId, Place], ...]:
    return tuple((each, found[each]) for each in sorted(found))


def _slots(tree: Tree) -> dict[str, list[str]]:
    """Return the names of slots by the address that they have: of a device or a bus."""
    names = value_or(tree.names(SLOTS), ())
    tree.read_ahead(f"{SLOTS}/{name}/address" for name in names)
    found: dict[str, list[str]] = {}
    for name in sorted(names, key=natural_key):
        address = value_or(tree.text(f"{SLOTS}/{name}/address"), "")
        if _ADDRESS.fullmatch(address):
            found.setdefault(address, []).append(name)
    return found


def _place(tree: Tree, device: Device, slots: Mapping[str, list[str]]) -> Place:
    if not known(device.path) or PciAddress.parse(device.address) is None:
        return Place()
    of_device = device.address.rpartition(".")[0]
    of_bus = of_device.rpartition(":")[0]
    label = value_or(tree.text(f"{device.path}/label"), "").strip()
    return Place(
        slots=tuple(slots.get(of_device, slots.get(of_bus, ()))),
        label=label or None,
        ports=tuple(_ports(tree, device)),
    )


def _ports(tree: Tree, device: Device) -> Iterable[tuple[str, int]]:
    code = device.ids.class_code
    if not known(code) or code >> 8 != _USB_CONTROLLER:
        return
    names = value_or(tree.names(str(device.path)), ())
    for name in sorted(filter(_BUS.fullmatch, names), key=natural_key):
        count = value_or(tree.text(f"{device.path}/{name}/maxchild"), "")
        if count.isdecimal() and len(count) < 4:
            yield name, int(count)
