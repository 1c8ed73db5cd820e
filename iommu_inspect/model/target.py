"""What a person means by ``01:00.0``, ``group:13`` or ``nvme``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.usage import BadRequestError, nearest

__all__ = [
    "Target",
    "UnknownTargetError",
    "devices_named",
    "find_target",
    "find_targets",
    "same_target",
]

_MOST_NEAR_MISSES = 5


class UnknownTargetError(BadRequestError):
    """No device or group, or more than one (``several``), is what was asked for."""

    def __init__(self, message: str, *, several: bool = False) -> None:
        super().__init__(message)
        self.several = several


@dataclass(frozen=True, slots=True)
class Target:
    """What was asked for: a device, or a whole group when ``device`` is ``None``."""

    text: str
    device: Device | None
    group: Group | None

    @property
    def identity(self) -> DeviceId | str:
        """What two spellings of one target have in common."""
        if self.device is not None:
            return self.device.id
        return self.group.id if self.group else self.text

    @property
    def devices(self) -> tuple[Device, ...]:
        """The device, or every device of the group."""
        if self.device is not None:
            return (self.device,)
        return self.group.devices if self.group else ()


def same_target(machine: Machine, target: Target) -> Target:
    """Return a target on another state of its machine, by identity and not by name.

    What is not there any more is ``None`` in it.
    """
    device = machine.device(target.device.id) if target.device else None
    group = machine.group(target.group.id) if target.group else None
    if device is not None:
        group = machine.group_of(device)
    return Target(target.text, device, group)


def find_targets(machine: Machine, texts: Iterable[str]) -> tuple[Target, ...]:
    """Find what each text names, each device or group once, in the order asked for.

    Raises:
        UnknownTargetError: as of ``find_target()``.
    """
    found: dict[object, Target] = {}
    for text in texts:
        target = find_target(machine, text)
        found.setdefault(target.identity, target)
    return tuple(found.values())


def find_target(machine: Machine, text: str) -> Target:
    """Find the one device or group that ``text`` names.

    Accepted are a PCI address with or without its domain, ``group:ID``, a device's
    name, or a fragment of a device's name, driver, vendor or model.

    Raises:
        UnknownTargetError: nothing fits, or more than one device does. The message
            names the near misses.
    """
    if text.startswith("group:"):
        return _find_group(machine, text)
    found = devices_named(machine, text)
    if len(found) == 1:
        return Target(text, found[0], machine.group_of(found[0]))
    if found:
        raise UnknownTargetError(
            f"{text!r} fits {len(found)} devices: {_some(found)}; name one of them",
            several=True,
        )
    raise UnknownTargetError(f"no device is called {text!r}{_near(machine, text)}")


def devices_named(machine: Machine, text: str) -> tuple[Device, ...]:
    """Return the devices that have this address, or this in one of their names."""
    return tuple(_by_address(machine, text) or _by_fragment(machine, text))


def _find_group(machine: Machine, text: str) -> Target:
    group_id = text.removeprefix("group:")
    group = machine.group(group_id)
    if group is not None:
        return Target(text, None, group)
    ids = [group.id for group in machine.groups]
    if not ids:
        raise UnknownTargetError(f"there is no group {group_id!r}: there are no groups")
    near = nearest(group_id, ids, _MOST_NEAR_MISSES, 0.3) or ids[-1:]
    raise UnknownTargetError(
        f"there is no group {group_id!r}; the groups go from {ids[0]} to {ids[-1]}, "
        f"near are {', '.join(near)}"
    )


def _by_address(machine: Machine, text: str) -> list[Device]:
    exact = [device for device in machine.devices if device.address == text]
    wanted = PciAddress.parse(text)
    if exact or wanted is None:
        return exact
    pci = [(device.pci_address, device) for device in machine.devices]
    same = [device for address, device in pci if address == wanted]
    if same or text.count(":") > 1:
        return same
    # Without a domain, any domain will do as long as only one has such an address.
    short = (wanted.bus, wanted.slot, wanted.function)
    return [d for a, d in pci if a and (a.bus, a.slot, a.function) == short]


def _by_fragment(machine: Machine, text: str) -> list[Device]:
    if not text or PciAddress.parse(text) is not None:
        return []
    needle = text.lower()
    return [d for d in machine.devices if any(needle in w.lower() for w in _words(d))]


def _words(device: Device) -> list[str]:
    words = [device.address, device.name, device.vendor_name, device.driver]
    return [word for word in words if isinstance(word, str)]


def _near(machine: Machine, text: str) -> str:
    if machine.group(text) is not None:
        return f"; a group is asked for as group:{text}"
    names = [device.address for device in machine.devices]
    wanted = PciAddress.parse(text)
    probe = str(wanted) if wanted else text
    near = nearest(probe, names, _MOST_NEAR_MISSES, 0.6)
    if near:
        return f"; near are {', '.join(near)}"
    return "; 'iommu-inspect list' shows them all" if names else ", nor any other"


def _some(devices: Sequence[Device]) -> str:
    names = [device.address for device in devices[:_MOST_NEAR_MISSES]]
    more = len(devices) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
