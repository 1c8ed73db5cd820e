"""Joins what texts say of one machine, by address, into a machine.

Facts of one device that are equal are one; of those that contradict each other none
is true. Ids or classes that contradict each other are two machines, or one before and
after somebody changed it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import fields, replace
from typing import Any, TypeVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.text.said import DeviceFacts, HostFacts, Said

__all__ = ["Joined", "join"]

T = TypeVar("T")

# The one that says most about why a fact is missing.
_REASONS = (Missing.DENIED, Missing.UNREADABLE, Missing.TRUNCATED, Missing.ABSENT)
# Facts that a dump of registers tells better than words do.
_REGISTERS = frozenset(
    {
        "header_type",
        "multifunction",
        "pcie_type",
        "acs",
        "sriov",
        "enabled_vfs",
        "hotplug_slot",
        "buses",
        "answers",
    }
)


@dataclass(frozen=True, slots=True)
class Joined:
    """What texts say of one machine.

    ``groups`` has of each device all groups that something puts it into.
    ``contested`` names, by device, the fields that are contradicted.
    """

    devices: dict[DeviceId, DeviceFacts]
    host: HostFacts
    groups: dict[DeviceId, tuple[str, ...]]
    contested: dict[DeviceId, tuple[str, ...]]


def join(said: Iterable[Said], label: str) -> Joined:
    """Join all that was said; its order does not matter.

    Raises:
        SourceError: Two machines are in it.
    """
    by_device: dict[DeviceId, list[Said]] = defaultdict(list)
    about_host: list[Said] = []
    for each in said:
        if each.device is None:
            about_host.append(each)
        else:
            by_device[each.device].append(each)
    devices: dict[DeviceId, DeviceFacts] = {}
    groups: dict[DeviceId, tuple[str, ...]] = {}
    contested: dict[DeviceId, tuple[str, ...]] = {}
    for device in sorted(by_device):
        _check_identity(device, by_device[device], label)
        facts, doubtful = _one(by_device[device])
        devices[device] = facts
        if doubtful:
            contested[device] = doubtful
        claimed = {s.facts.group for s in by_device[device]}
        groups[device] = tuple(sorted(g for g in claimed if known(g) and g is not None))
    return Joined(devices, _host(about_host, label), groups, contested)


def _one(said: list[Said]) -> tuple[DeviceFacts, tuple[str, ...]]:
    """Return one device's facts, and which fields were contradicted."""
    if len(said) == 1:
        return said[0].facts, ()
    found: dict[str, Any] = {}
    doubtful: list[str] = []
    for field in fields(DeviceFacts):
        name = field.name
        values = [getattr(each.facts, name) for each in said]
        if name == "ids":
            found[name] = _ids(values)
        elif name in ("direct", "nodes"):
            found[name] = tuple(sorted({v for value in values for v in value}))
        elif name == "name":
            found[name] = _name(values)
        else:
            if name in _REGISTERS:
                told = [getattr(s.facts, name) for s in said if s.by_bytes]
                values = told if any(map(known, told)) else values
            found[name] = _agreed(values)
            if len({v for v in values if known(v)}) > 1:
                doubtful.append(name)
    return DeviceFacts(**found), tuple(doubtful)


def _agreed(values: Iterable[Fact[T]]) -> Fact[T]:
    """Return the one value that is told, or why there is none."""
    listed = list(values)
    told = {value for value in listed if known(value)}
    if len(told) == 1:
        return next(iter(told))
    if told:
        return Missing.UNREADABLE
    return min((v for v in listed if not known(v)), key=_REASONS.index)


def _name(values: list[Fact[str]]) -> Fact[str]:
    """Return the fullest name: newer lists of ids have longer ones."""
    told = [value for value in values if known(value)]
    if told:
        return max(told, key=lambda name: (len(name), name))
    return _agreed(values)


def _ids(values: list[PciIds]) -> PciIds:
    found: dict[str, Any] = {}
    for field in fields(PciIds):
        told = [getattr(value, field.name) for value in values]
        if field.name == "class_code":
            found[field.name] = _class_code(told)
        else:
            found[field.name] = _agreed(told)
    return PciIds(**found)


def _class_code(values: list[Fact[int]]) -> Fact[int]:
    """Return the class; a text without its lowest byte has 0 there."""
    told = {value for value in values if known(value)}
    if len({code >> 8 for code in told}) == 1:
        interfaces = {code for code in told if code & 0xFF}
        return next(iter(interfaces or told)) if len(interfaces) < 2 else min(told)
    return _agreed(values)


def _check_identity(device: DeviceId, said: list[Said], label: str) -> None:
    """Refuse two different devices at one address.

    Raises:
        SourceError: There are two.
    """
    first: dict[str, tuple[int, int]] = {}
    for each in sorted(said, key=lambda s: s.line):
        ids = each.facts.ids
        told: dict[str, Fact[int]] = {"vendor": ids.vendor, "device": ids.device}
        told["class"] = ids.class_code >> 8 if known(ids.class_code) else Missing.ABSENT
        for what, value in told.items():
            if not known(value):
                continue
            line, before = first.setdefault(what, (each.line, value))
            if before != value:
                raise SourceError(
                    f"cannot read {label}: it shows two machines, or one before and "
                    f"after a change: {device} has the {what} id {before:04x} in line "
                    f"{line} and {value:04x} in line {each.line}; give one of them"
                )
    makers = {maker: s.line for s in said if (maker := _maker(s.facts))}
    if len(makers) > 1:
        (one, line), (other, another) = sorted(makers.items(), key=lambda m: m[::-1])[
            :2
        ]
        raise SourceError(
            f"cannot read {label}: it shows two machines: {device} is of "
            f"{one.capitalize()} in line {line} and of {other.capitalize()} in line "
            f"{another}; give one of them"
        )


# Makers that nobody takes for each other, by how their names begin. Other names are
# too often spelled in two ways.
_MAKERS = frozenset(
    {"advanced", "asmedia", "intel", "mellanox", "nvidia", "realtek", "samsung"}
)


def _maker(facts: DeviceFacts) -> str | None:
    word = value_or(facts.name, "").partition(" ")[0].lower()
    return word if word in _MAKERS else None


def _host(said: list[Said], label: str) -> HostFacts:
    """Join what is said of the host.

    Raises:
        SourceError: Firmware gives two machines' names.
    """
    if not said:
        return HostFacts()
    found: dict[str, Any] = {}
    for field in fields(HostFacts):
        values = [getattr(each.host, field.name) for each in said]
        if isinstance(values[0], tuple):
            found[field.name] = tuple(
                dict.fromkeys(v for value in values for v in value)
            )
        else:
            found[field.name] = _agreed(values)
    boards = sorted({s.host.board for s in said if known(s.host.board)})
    if len(boards) > 1:
        raise SourceError(
            f"cannot read {label}: it shows two machines, {boards[0]} and {boards[1]}; "
            "give one of them"
        )
    host = HostFacts(**found)
    return replace(host, firmware_tables=tuple(sorted(host.firmware_tables)))
