"""Vendor and device names for people; no verdict depends on them."""

from __future__ import annotations

import gzip
import re
import zlib
from collections.abc import Callable
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


# A line of a vendor, or what is none: neither a device, a comment nor empty.
_VENDOR = re.compile(rb"\n(?![\t#\r\n]|\Z)")

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
    has_ids = any(known(device.ids.vendor) for device in machine.devices)
    book = _Book(_pci_ids(host) if has_ids else b"")

    def name(device: Device) -> Names:
        ids = device.ids
        if not known(ids.vendor) or not known(ids.device):
            return Names()
        return book.names(ids.vendor, ids.device)

    return name


def _pci_ids(host: Tree) -> bytes:
    for path in _PCI_IDS:
        plain = host.large_data(path)
        if known(plain):
            return plain
        packed = host.large_data(f"{path}.gz")
        if known(packed):
            try:
                return gzip.decompress(packed)
            except (OSError, EOFError, zlib.error):
                continue
    return b""


class _Book:
    r"""What is in ``pci.ids``: ``vvvv  Name``, ``\tdddd  Name``, looked up one by one.

    Comments and empty lines are anywhere, and end nothing. Lines with two tabs are
    subsystems. The list of classes at the end of the file begins with ``C ``. To look
    for a few vendors costs less than to go through all lines.
    """

    def __init__(self, content: bytes) -> None:
        self._lines = b"\n" + content
        classes = self._lines.find(b"\nC ")
        self._end = len(self._lines) if classes < 0 else classes
        self._vendors: dict[int, tuple[str | None, int, int]] = {}
        self._names: dict[tuple[int, int], Names] = {}

    def names(self, vendor: int, device: int) -> Names:
        found = self._names.get((vendor, device))
        if found is None:
            name, start, end = self._vendor(vendor)
            model, _ = self._look_up(b"\n\t%04x" % device, start, end)
            found = self._names[vendor, device] = Names(name, model)
        return found

    def _vendor(self, vendor: int) -> tuple[str | None, int, int]:
        """Return a vendor's name, and where its devices begin and end."""
        found = self._vendors.get(vendor)
        if found is None:
            name, start = self._look_up(b"\n%04x" % vendor, 0, self._end)
            following = _VENDOR.search(self._lines, start, self._end)
            end = following.start() if following else self._end
            found = self._vendors[vendor] = (name, start, end if name else start)
        return found

    def _look_up(self, begin: bytes, start: int, end: int) -> tuple[str | None, int]:
        """Return the name on the line that begins so, and where that line ends."""
        at = self._lines.find(begin, start, end)
        while at >= 0:
            line_end = self._lines.find(b"\n", at + 1, end)
            stop = end if line_end < 0 else line_end
            rest = self._lines[at + len(begin) : stop]
            if rest[:1].isspace():
                return " ".join(rest.decode("utf-8", "replace").split()), stop
            at = self._lines.find(begin, stop, end)
        return None, start
