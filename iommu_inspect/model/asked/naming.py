"""Which devices a text names: by address, slot, ids, interface, disk, part of a name.

The shape of the text decides how it is read, and no text is read in two ways.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Missing, known, value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress

__all__ = [
    "LEAST_LETTERS",
    "Named",
    "has_part",
    "interfaces_and_disks",
    "is_number",
    "is_pair_of_ids",
    "named_by",
    "place_of",
    "slot_of",
]

LEAST_LETTERS = 3
_IDS = re.compile(r"[0-9a-f]{4}:[0-9a-f]{4}", re.IGNORECASE)
_LIBVIRT = re.compile(
    r"pci_([0-9a-f]{4,8})_([0-9a-f]{2})_([0-9a-f]{2})_([0-7])", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Named:
    """The devices that a text fits; ``all_meant`` unless it should have fitted one.

    ``Missing`` stands for devices that a name has and the source does not tell.
    """

    devices: tuple[Device, ...] | Missing
    all_meant: bool = True


def named_by(machine: Machine, text: str) -> Named | None:
    """Return what a text fits, ``None`` if that is nothing."""
    readings: tuple[Callable[[Machine, str], Named | None], ...] = (
        _by_whole_name,
        _by_address,
        _by_ids,
        _by_slot,
        _by_interface_or_disk,
        _by_part_of_name,
    )
    for read in readings:
        found = read(machine, text)
        if found is not None and found.devices != ():
            return found
    return None


def is_number(text: str) -> bool:
    """Say whether a text is bare digits, which could be anything's number."""
    return text.isascii() and text.isdecimal()


def is_pair_of_ids(text: str) -> bool:
    """Say whether this is ``10de:1e04``: vendor and device, four digits each.

    No address looks like that: its bus and its slot have two digits at most.
    """
    return _IDS.fullmatch(text) is not None


def place_of(text: str) -> PciAddress | None:
    """Read an address as the kernel or libvirt (``pci_0000_01_00_0``) writes it."""
    match = _LIBVIRT.fullmatch(text)
    if match is not None:
        domain, bus, slot, function = match.groups()
        text = f"{domain}:{bus}:{slot}.{function}"
    return PciAddress.parse(text)


def slot_of(text: str) -> PciAddress | None:
    """Read ``01:00`` or ``0000:01:00`` as the address of the slot's function 0."""
    return PciAddress.parse(f"{text}.0")


def has_part(device: Device, text: str) -> bool:
    """Say whether a name of the device has this in it: model, vendor or driver.

    An address is none of its names, except of a device whose bus gives it a name.
    """
    needle = text.lower()
    return any(needle in word.lower() for word in _words(device))


def interfaces_and_disks(machine: Machine) -> tuple[str, ...]:
    """Return the names of the network interfaces and disks that the source shows."""
    return tuple(name for name, _ in value_or(machine.host.nodes, ()))


def _by_whole_name(machine: Machine, text: str) -> Named:
    return Named(machine.called(text), all_meant=False)


def _by_address(machine: Machine, text: str) -> Named | None:
    wanted = place_of(text)
    if wanted is None:
        return None
    found = tuple(
        device
        for device, address in _functions(machine)
        if (address.bus, address.slot, address.function)
        == (wanted.bus, wanted.slot, wanted.function)
        and (not _has_domain(text) or address.domain == wanted.domain)
    )
    return Named(found, all_meant=False)


def _by_ids(machine: Machine, text: str) -> Named | None:
    if not is_pair_of_ids(text):
        return None
    wanted = text.lower()
    return Named(tuple(d for d in machine.devices if d.ids.pair == wanted))


def _by_slot(machine: Machine, text: str) -> Named | None:
    wanted = slot_of(text)
    if wanted is None:
        return None
    found = [
        (device, address.domain)
        for device, address in _functions(machine)
        if (address.bus, address.slot) == (wanted.bus, wanted.slot)
        and (not _has_domain(text) or address.domain == wanted.domain)
    ]
    domains = {domain for _, domain in found}
    return Named(tuple(device for device, _ in found), all_meant=len(domains) < 2)


def _by_interface_or_disk(machine: Machine, text: str) -> Named | None:
    wanted = text.removeprefix("/dev/")
    for name, paths in value_or(machine.host.nodes, ()):
        if name == wanted:
            if not known(paths):
                return Named(paths)
            return Named(tuple(d for d in machine.devices if d.path in paths))
    return None


def _by_part_of_name(machine: Machine, text: str) -> Named | None:
    """Find a part of at least three letters, or a whole word (``e1000``, ``X710``)."""
    if is_number(text) or len(text) < LEAST_LETTERS:
        return None
    enough = sum(map(str.isalpha, text)) >= LEAST_LETTERS
    fits = has_part if enough else _has_word
    return Named(tuple(d for d in machine.devices if fits(d, text)), all_meant=False)


def _has_word(device: Device, text: str) -> bool:
    whole = rf"(?<![^\W_]){re.escape(text)}(?![^\W_])"
    return any(re.search(whole, word, re.IGNORECASE) for word in _words(device))


def _words(device: Device) -> list[str]:
    words = [device.name, device.vendor_name, device.driver]
    if not device.is_pci:
        words.append(device.address)
    return [word for word in words if isinstance(word, str)]


def _functions(machine: Machine) -> list[tuple[Device, PciAddress]]:
    pairs = [(device, device.pci_address) for device in machine.devices]
    return [(device, address) for device, address in pairs if address is not None]


def _has_domain(text: str) -> bool:
    return text.count(":") > 1 or text.lower().startswith("pci_")
