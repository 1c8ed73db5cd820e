"""What a person means by ``01:00.0``, ``group:13``, ``enp3s0`` or ``geforce``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from iommu_inspect.model.asked.naming import (
    LEAST_LETTERS,
    has_part,
    interfaces_and_disks,
    is_number,
    is_pair_of_ids,
    named_by,
    place_of,
    slot_of,
)
from iommu_inspect.model.asked.usage import BadRequestError, nearest
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.classes import class_name

__all__ = [
    "Target",
    "UnknownTargetError",
    "devices_named",
    "find_target",
    "find_targets",
    "same_target",
]

_MOST_NEAR_MISSES = 5
# A bus with its domain, or a slot with a number that none has.
_BUS_OR_SLOT = re.compile(r"[0-9a-f]{1,8}(:[0-9a-f]{1,2}){1,2}", re.IGNORECASE)
_SLOTS = "01:00 or 0000:01:00"


class UnknownTargetError(BadRequestError):
    """What was asked for is no device or group, or more than it should be."""


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

    Accepted are ``group:ID``; the address of a function, as the kernel or libvirt
    writes it, or of a slot (all its functions), with or without its domain; the ids
    ``vendor:device`` (every device that has them); the name of a network interface or
    of a disk (what it stands on); and a part of the name, vendor or driver of one
    device.

    Raises:
        UnknownTargetError: a text fits nothing, or more than it should. The message
            names the near misses.
    """
    found: dict[object, Target] = {}
    for text in texts:
        for target in _named(machine, text):
            found.setdefault(target.identity, target)
    return tuple(found.values())


def find_target(machine: Machine, text: str) -> Target:
    """Find the one device or group that ``text`` names.

    Raises:
        UnknownTargetError: as of ``find_targets()``, and where it names several.
    """
    found = _named(machine, text)
    if len(found) > 1:
        devices = [device for target in found for device in target.devices]
        raise UnknownTargetError(
            f"{text!r} names {len(devices)} devices ({_some(devices)}), and one is "
            "wanted here"
        )
    return found[0]


def devices_named(machine: Machine, text: str) -> tuple[Device, ...]:
    """Return every device that a text fits, be they ever so many.

    Raises:
        UnknownTargetError: it fits none.
    """
    if text.startswith("group:"):
        return _find_group(machine, text).devices
    found = named_by(machine, text)
    if found is None or not known(found.devices):
        return tuple(d for target in _named(machine, text) for d in target.devices)
    return found.devices


def _named(machine: Machine, text: str) -> tuple[Target, ...]:
    if text.startswith("group:"):
        return (_find_group(machine, text),)
    found = named_by(machine, text)
    if found is None:
        raise UnknownTargetError(f"no device is called {text!r}{_near(machine, text)}")
    if not known(found.devices):
        raise UnknownTargetError(
            f"the source tells no device that {text!r} is on; name one by its address"
        )
    if len(found.devices) > 1 and not found.all_meant:
        raise UnknownTargetError(
            f"{text!r} fits {len(found.devices)} devices: {_some(found.devices)}; "
            "name one of them"
        )
    return tuple(Target(text, d, machine.group_of(d)) for d in found.devices)


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


def _near(machine: Machine, text: str) -> str:
    """Return what follows "no device is called ...": why, and what is near."""
    devices = tuple(machine.devices)
    if not devices:
        return ", nor any other"
    if is_number(text):
        return _near_number(machine, text)
    if is_pair_of_ids(text):
        return _near_ids(devices, text)
    addresses = [device.address for device in devices]
    place = place_of(text) or slot_of(text)
    if place is not None:
        return _nearest(str(place), addresses)
    if _BUS_OR_SLOT.fullmatch(text):
        return ": slots go from 00 to 1f, and are asked for as " + _SLOTS
    if text.removeprefix("/dev/") in interfaces_and_disks(machine):
        return ": that is on none of the devices that could be handed over"
    if text and sum(map(str.isalpha, text)) < LEAST_LETTERS and ":" not in text:
        return f"; a part of a name has {LEAST_LETTERS} letters at least" + _fitting(
            [device for device in devices if has_part(device, text)]
        )
    drivers = [device.driver for device in devices if isinstance(device.driver, str)]
    near = _nearest(text, [*addresses, *drivers, *interfaces_and_disks(machine)])
    if not known(machine.host.nodes):
        near += " (the source shows no names of network interfaces and disks)"
    return near


def _near_number(machine: Machine, text: str) -> str:
    if machine.group(text) is not None:
        return f"; a group is asked for as group:{text}"
    first = next(iter(machine.devices)).address
    ids = [group.id for group in machine.groups]
    groups = f", a group as group:{ids[0]} to group:{ids[-1]}" if ids else ""
    return f": a device is asked for as {first}{groups}"


def _near_ids(devices: Sequence[Device], text: str) -> str:
    pairs = {d.ids.pair: d.address for d in devices if d.ids.pair is not None}
    near = nearest(text.lower(), pairs, _MOST_NEAR_MISSES, 0.6)
    words = [f"{pair} ({pairs[pair]})" for pair in near]
    told = "" if pairs else " (the source tells no ids)"
    return (f"; near are {', '.join(words)}" if words else "") + told


def _nearest(text: str, names: Iterable[str]) -> str:
    near = nearest(text, dict.fromkeys(names), _MOST_NEAR_MISSES, 0.6)
    if near:
        return f"; near are {', '.join(near)}"
    return "; 'iommu-inspect list' shows them all"


def _fitting(devices: Sequence[Device]) -> str:
    return f"; it is in the names of {_some(devices)}" if devices else ""


def _some(devices: Sequence[Device]) -> str:
    """Name the first few devices, each with what it is."""
    names = []
    for device in devices[:_MOST_NEAR_MISSES]:
        kind = class_name(device.ids.class_code)
        names.append(f"{device.address} ({kind})" if kind else device.address)
    more = len(devices) - len(names)
    return ", ".join(names) + (f" and {more} more" if more else "")
