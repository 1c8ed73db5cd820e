"""A firmware table that QEMU does not make: reserved memory of a device.

The kernel replaces a firmware table by one of a higher revision that it finds
in the initial file system (``CONFIG_ACPI_TABLE_UPGRADE``).  So the lab hands it
QEMU's DMAR table again, with reserved memory regions (RMRR) added.  Each shows
up as a ``direct`` line in the group's ``reserved_regions``.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from dataclasses import dataclass

PATH = "kernel/firmware/acpi/DMAR.aml"
UNIT_ADDRESS = 0xFED90000
# Where QEMU's I/O APIC lives as far as the remapping unit is concerned.
IOAPIC_BUS = 0xFF
# A page that the memory map of the emulated machine calls reserved.
PAGE = 0xF0000


@dataclass(frozen=True)
class Reserved:
    """A reserved region for the device at the end of ``path``.

    ``path`` holds (slot, function) of each bridge from the root bus downwards
    and of the device itself.
    """

    path: tuple[tuple[int, int], ...]
    start: int = PAGE
    end: int = PAGE + 0xFFF


def dmar(regions: Sequence[Reserved], *, remapping: bool) -> bytes:
    """Return a DMAR table for an emulated ``intel-iommu`` with ``regions``."""
    ioapic = _scope(3, 0, IOAPIC_BUS, ((0, 0),))
    unit = struct.pack("<BBHQ", 1, 0, 0, UNIT_ADDRESS) + ioapic
    body = struct.pack("<HH", 0, 4 + len(unit)) + unit
    for region in regions:
        scope = _scope(1, 0, 0, region.path)
        found = struct.pack("<HHQQ", 0, 0, region.start, region.end) + scope
        body += struct.pack("<HH", 1, 4 + len(found)) + found
    # Width of host addresses less one, flags (1: interrupt remapping), reserved.
    body = struct.pack("<BB10x", 38, int(remapping)) + body
    return _table(b"DMAR", body)


def _scope(kind: int, number: int, bus: int, path: Sequence[tuple[int, int]]) -> bytes:
    steps = b"".join(bytes(step) for step in path)
    return struct.pack("<BBHBB", kind, 6 + len(steps), 0, number, bus) + steps


def _table(signature: bytes, body: bytes) -> bytes:
    """Return a table with QEMU's names, a higher revision, a right checksum."""
    length = 36 + len(body)
    head = struct.pack(
        "<4sIBB6s8sI4sI", signature, length, 1, 0, b"BOCHS ", b"BXPC    ", 2, b"BXPC", 1
    )
    table = bytearray(head + body)
    table[9] = -sum(table) & 0xFF
    return bytes(table)
