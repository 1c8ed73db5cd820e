"""What each device is plugged into, by its path in sysfs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine

__all__ = ["Place", "places"]

_DEVICES = "sys/devices/"
_ROOT_BUS = re.compile(r"pci([0-9a-f]{4,8}):([0-9a-f]{2})")
# Deeper than any machine; a capture may be anybody's.
_MOST_DEPTH = 48


@dataclass(frozen=True, slots=True)
class Place:
    """The device above, if one is shown, and the root bus between the two, if any.

    ``root`` is what to write for it, and ``what`` what it is.
    """

    above: Device | None
    root: str = ""
    what: str = ""


def places(machine: Machine) -> Iterator[tuple[Device, Place]]:
    """Yield every device of a machine with its place, in the order of their names.

    A device that stands twice in a source has two places.
    """
    by_path: dict[str, Device] = {}
    for device in machine.devices:
        if known(device.path):
            by_path.setdefault(device.path, device)
    depths: dict[str, int] = {}
    for device in sorted(machine.devices, key=lambda each: each.id):
        yield device, _place(device, by_path, depths)


def _place(device: Device, by_path: dict[str, Device], depths: dict[str, int]) -> Place:
    path = device.path
    if not known(path) or not device.is_placed:
        return Place(None, *_nowhere(device))
    above = _above(path, by_path)
    while above is not None and known(above.path):
        if _depth(above.path, by_path, depths) <= _MOST_DEPTH:
            between = path.removeprefix(above.path).strip("/").split("/")[:-1]
            buses = [part for part in between if _ROOT_BUS.fullmatch(part)]
            if buses:
                return Place(above, *_bus(buses[-1]))
            return Place(above)
        above = _above(above.path, by_path)
    return Place(None, *_root(path.removeprefix(_DEVICES)))


def _above(path: str, by_path: dict[str, Device]) -> Device | None:
    """Return the nearest device on the way up."""
    while path := path.rpartition("/")[0]:
        if path in by_path:
            return by_path[path]
    return None


def _depth(path: str, by_path: dict[str, Device], depths: dict[str, int]) -> int:
    """Return how many devices are on the way up; each path is counted once."""
    way = []
    at: str | None = path
    while at is not None and at not in depths:
        way.append(at)
        above = _above(at, by_path)
        at = above.path if above is not None and known(above.path) else None
    depth = 0 if at is None else depths[at] + 1
    for number, each in enumerate(reversed(way)):
        depths[each] = depth + number
    return depths[path]


def _root(path: str) -> tuple[str, str]:
    parts = path.split("/")[:-1]
    buses = [part for part in parts if _ROOT_BUS.fullmatch(part)]
    if buses:
        return _bus(buses[-1])
    return (parts[0] if parts else "sys/devices"), "devices that are on no PCI bus"


def _bus(part: str) -> tuple[str, str]:
    domain, bus = part.removeprefix("pci").split(":")
    return part, f"root bus {bus} of PCI domain {domain}"


def _nowhere(device: Device) -> tuple[str, str]:
    if address := device.pci_address:
        return f"PCI domain {address.domain:04x}", "what is above these is not told"
    return "other devices", "where they are is not told"
