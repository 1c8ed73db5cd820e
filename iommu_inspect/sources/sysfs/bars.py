"""The sizes of base address registers, from ``resource``, which everybody can read.

It is one more file of each function, so only who needs it asks for it. Reading it
touches no register of the device: the kernel prints what it has written down
(``resource_show()`` in drivers/pci/pci-sysfs.c).
"""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.bar import Bar
from iommu_inspect.sources.sysfs.numbers import hexadecimal
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["parse_resource", "with_bars"]

# include/linux/ioport.h
_MEMORY, _PREFETCHABLE, _WIDE = 0x200, 0x2000, 0x100000
# The lines behind these are the ROM, and those of bridges and virtual functions.
_BARS = 6


def with_bars(tree: Tree, machine: Machine) -> Machine:
    """Return the machine with the registers of the functions that could be read."""
    found = {}
    for device in machine.devices:
        bars = _bars(tree, device)
        if known(bars):
            found[device.id] = bars
    return replace(machine, bars=tuple(sorted(found.items())))


def _bars(tree: Tree, device: Device) -> Fact[tuple[Bar, ...]]:
    if not device.is_pci or not known(device.path):
        return Missing.ABSENT
    text = tree.text(f"{device.path}/resource")
    return parse_resource(text) if known(text) else text


def parse_resource(text: str) -> Fact[tuple[Bar, ...]]:
    """Parse ``0xSTART 0xEND 0xFLAGS`` lines; one bad line spoils the fact."""
    bars = []
    for number, line in enumerate(text.splitlines()[:_BARS]):
        words = line.split()
        if len(words) != 3:
            return Missing.UNREADABLE
        start, end, flags = (hexadecimal(word, 16) for word in words)
        if not known(start) or not known(end) or not known(flags) or end < start:
            return Missing.UNREADABLE
        if not flags:
            continue
        bars.append(
            Bar(
                number,
                end - start + 1,
                memory=bool(flags & _MEMORY),
                prefetchable=bool(flags & _PREFETCHABLE),
                wide=bool(flags & _WIDE),
            )
        )
    return tuple(bars)
