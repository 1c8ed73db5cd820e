"""Ids that follow from names, where a text was made without ``-nn``.

The names are those of pci.ids, so the list tells the ids again, where just one device
has the name. The list ships with the program: a host need not have one, and the same
text has to give the same facts everywhere.
"""

from __future__ import annotations

import gzip
from collections import defaultdict
from collections.abc import Iterable
from importlib import resources

from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Missing, known

__all__ = ["completed_ids"]


def completed_ids(named: Iterable[tuple[str, PciIds]]) -> dict[str, PciIds]:
    """Return ids by name for those of names that stand for one device, or one vendor.

    Args:
        named: Names as lspci prints them, vendor first, with the ids that are known.
    """
    lacking = {name: ids for name, ids in named if not known(ids.vendor)}
    if not lacking:
        return {}
    text = _list()
    vendors = _vendors(text)
    devices: dict[int, dict[str, list[int]]] = {}
    found: dict[str, PciIds] = {}
    for name, ids in lacking.items():
        matches = _matches(name, vendors)
        if len(matches) != 1:
            continue
        ((vendor, at, rest),) = matches
        if known(ids.device):
            device: int | Missing = ids.device
        else:
            if at not in devices:
                devices[at] = _devices(text, at)
            numbers = devices[at].get(rest, [])
            device = numbers[0] if len(numbers) == 1 else Missing.ABSENT
        found[name] = PciIds(
            vendor,
            device,
            ids.subsystem_vendor,
            ids.subsystem_device,
            ids.class_code,
            ids.revision,
            derived=True,
        )
    return found


def _list() -> str:
    packed = resources.files("iommu_inspect").joinpath("pci.ids.gz").read_bytes()
    return gzip.decompress(packed).decode("utf-8")


def _vendors(text: str) -> dict[str, list[tuple[int, int]]]:
    """Return the vendors by name: their numbers, and where their lines begin."""
    found: dict[str, list[tuple[int, int]]] = defaultdict(list)
    at = 0
    for line in text.split("\n"):
        if line[4:6] == "  " and line[:1] not in ("\t", "#"):
            found[line[6:].strip()].append((int(line[:4], 16), at))
        at += len(line) + 1
    return found


def _matches(
    name: str, vendors: dict[str, list[tuple[int, int]]]
) -> list[tuple[int, int, str]]:
    """Return the vendors whose name begins a name, with the rest of it.

    Where one vendor's name begins another's, the longer one counts only if the name
    goes on behind it.
    """
    words = name.split(" ")
    for count in range(len(words) - 1, 0, -1):
        found = vendors.get(" ".join(words[:count]))
        if found:
            rest = " ".join(words[count:])
            return [(number, at, rest) for number, at in found]
    return []


def _devices(text: str, at: int) -> dict[str, list[int]]:
    """Return the devices of the vendor whose line begins at a place, by name."""
    found: dict[str, list[int]] = defaultdict(list)
    for line in text[at : at + _LONGEST].split("\n")[1:]:
        if not line.startswith("\t"):
            break
        found[line[7:].strip()].append(int(line[1:5], 16))
    return found


_LONGEST = 1 << 19
