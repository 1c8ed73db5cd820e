"""Vendor and device names for people; no verdict depends on them."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TypeAlias

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["Namer", "Names", "from_pci_ids", "with_names", "without_names"]

# Where distributions put the file: Debian, Fedora and Arch, FreeBSD-style local.
_PCI_IDS = (
    "usr/share/misc/pci.ids",
    "usr/share/hwdata/pci.ids",
    "usr/share/pci.ids",
    "usr/local/share/pciids/pci.ids",
)


@dataclass(frozen=True, slots=True)
class Names:
    """What a device is called; ``None`` where nobody knows."""

    vendor: str | None = None
    device: str | None = None


Namer: TypeAlias = Callable[[Device], Names]


def with_names(machine: Machine, namer: Namer) -> Machine:
    """Return the machine with names put to its PCI devices.

    A name that the source itself has stays where the namer knows none.
    """

    def named(device: Device) -> Device:
        if not device.is_pci:
            return device
        names = namer(device)
        if names.device is None and device.name is not None:
            return device
        return replace(device, vendor_name=names.vendor, name=names.device)

    groups = tuple(
        replace(group, devices=tuple(named(d) for d in group.devices))
        for group in machine.groups
    )
    return replace(
        machine, groups=groups, ungrouped=tuple(named(d) for d in machine.ungrouped)
    )


def without_names(machine: Machine) -> Machine:
    """Return the machine without the names that its source has.

    They stay where the source shows no ids to stand for them.
    """

    def nameless(device: Device) -> Device:
        shown = known(device.ids.vendor)
        return replace(device, name=None) if shown and device.name else device

    groups = tuple(
        replace(group, devices=tuple(nameless(d) for d in group.devices))
        for group in machine.groups
    )
    return replace(
        machine, groups=groups, ungrouped=tuple(nameless(d) for d in machine.ungrouped)
    )


def from_pci_ids(host: Tree, machine: Machine) -> Namer:
    """Return a namer that reads this host's ``pci.ids``, once, for this machine."""
    wanted = {
        device.ids.vendor for device in machine.devices if known(device.ids.vendor)
    }
    vendors, devices = _parse(_pci_ids(host), {f"{vendor:04x}" for vendor in wanted})

    def name(device: Device) -> Names:
        ids = device.ids
        if not known(ids.vendor) or not known(ids.device):
            return Names()
        key = (f"{ids.vendor:04x}", f"{ids.device:04x}")
        return Names(vendors.get(key[0]), devices.get(key))

    return name


def _pci_ids(host: Tree) -> str:
    for path in _PCI_IDS:
        plain = host.large_data(path)
        if known(plain):
            return plain.decode("utf-8", "replace")
        packed = host.large_data(f"{path}.gz")
        if known(packed):
            try:
                return gzip.decompress(packed).decode("utf-8", "replace")
            except (OSError, EOFError, zlib.error):
                continue
    return ""


def _parse(
    text: str, wanted: set[str]
) -> tuple[Mapping[str, str], Mapping[tuple[str, str], str]]:
    r"""Read the vendors asked for and their devices: ``vvvv  Name``, ``\tdddd  Name``.

    Comments and empty lines are anywhere, and end nothing. Lines with two tabs are
    subsystems. The list of classes at the end of the file begins with ``C ``.
    """
    vendors: dict[str, str] = {}
    devices: dict[tuple[str, str], str] = {}
    vendor = ""
    for line in text.split("\n"):
        if line[:1] in ("", "#", "\r"):
            continue
        if line[:2] == "C ":
            break
        if line[0] == "\t":
            if vendor and line[1:2] != "\t" and line[5:6].isspace():
                devices[(vendor, line[1:5])] = _name(line[5:])
        elif line[:4] in wanted and line[4:5].isspace():
            vendor = line[:4]
            vendors[vendor] = _name(line[4:])
        else:
            vendor = ""
    return vendors, devices


def _name(text: str) -> str:
    return " ".join(text.split())
