"""A machine from the text of ``lspci``, best that of ``lspci -vvvnnk`` as root.

Raw bytes (``-xxx``, ``-xxxx``) are read where they are. What the call of lspci, or its
user, left out stays missing; nothing of it counts as absent.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from iommu_inspect.model.device import Device, PciPlacement
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.model.text import natural_key
from iommu_inspect.sources.text.lspci_buses import Buses, virtual_functions
from iommu_inspect.sources.text.lspci_facts import Function
from iommu_inspect.sources.text.lspci_text import Record, looks_like_lspci, records

__all__ = ["looks_like_lspci", "read_lspci"]


_PARTIAL = (
    "the text seems to leave functions of the host out, so its groups may have more "
    "members than are shown"
)


@dataclass(frozen=True, slots=True)
class _Shown:
    """What the capture shows of any function, and so means where it is missing.

    ``all_functions`` is false where functions of the host seem to be left out.
    """

    groups: bool
    drivers: bool
    any_details: bool
    all_functions: bool


def read_lspci(text: str, name: str) -> Machine:
    """Read every function that the text shows.

    Args:
        text: Output of lspci, whatever is around it.
        name: What to call the source.
    """
    found = [record for record in records(text) if record.first]
    functions = _functions(found)
    buses = Buses(functions)
    owners = virtual_functions(functions)
    shown = _Shown(
        groups=any(function.groups for function in functions),
        drivers=any(function.driver for function in functions),
        any_details=any(record.details for record in found),
        all_functions=buses.are_all_shown,
    )
    devices = [
        _device(function, buses, owners, shown)
        for function in sorted(functions, key=lambda f: f.record.address)
    ]
    return Machine(
        source=Source("lspci", name),
        groups=_groups(devices, functions, shown),
        ungrouped=tuple(d for d in devices if d.group is None or _untold(d.group)),
        groups_known=shown.groups,
        notes=() if shown.all_functions or not shown.groups else (_PARTIAL,),
    )


def _untold(group: Fact[str | None]) -> bool:
    return not known(group)


def _functions(found: list[Record]) -> list[Function]:
    alone = [Function(record, True, True) for record in found]
    listing = any("Capabilities: [" in d for r in found for d in r.details)
    extended = any(function.shows_extended for function in alone)
    return [Function(record, listing, extended) for record in found]


def _device(
    function: Function, buses: Buses, owners: dict[str, str], shown: _Shown
) -> Device:
    address = str(function.record.address)
    owner = owners.get(address)
    mine = tuple(
        DeviceId(virtual, "pci") for virtual, of in owners.items() if of == address
    )
    below = function.buses
    return Device(
        DeviceId.of_pci(function.record.address),
        buses.path(function, owner),
        driver=_driver(function, shown),
        group=_group(function, shown),
        ids=function.ids,
        pci=PciPlacement(
            header_type=function.header_type,
            multifunction=_multifunction(function, buses, owners),
            pcie_type=function.pcie_type,
            physfn=DeviceId(owner, "pci") if owner else _no_physfn(function),
            virtfns=mine or _no_virtfns(function),
            acs=function.acs,
            acs_listed=function.acs_listed,
            sriov=function.sriov,
            hotplug_slot=function.hotplug_slot,
            secondary_bus=below[0] if known(below) else below,
            answers=function.answers,
        ),
        vfio_devices=Missing.ABSENT,
        name=function.name,
    )


def _no_physfn(function: Function) -> Fact[None]:
    """Say that it is no virtual function where its own bytes show ids: they have none.

    Words show the same of both.
    """
    return None if function.has_ids else Missing.ABSENT


def _no_virtfns(function: Function) -> Fact[tuple[DeviceId, ...]]:
    """Say that it has no virtual functions where it can have none, or all are off."""
    none = function.sriov is None or function.virtual_functions == 0
    return () if none else Missing.ABSENT


def _driver(function: Function, shown: _Shown) -> Fact[str | None]:
    if function.driver is not None:
        return function.driver
    # lspci leaves the line out for a function without a driver, and for all without
    # -k or -v; one line shows that it was asked.
    cut_off = shown.any_details and not function.record.details
    return Missing.ABSENT if cut_off or not shown.drivers else None


def _group(function: Function, shown: _Shown) -> Fact[str | None]:
    if len(function.groups) > 1:
        return Missing.UNREADABLE
    if function.groups:
        return function.groups[0]
    return None if shown.groups and function.is_detailed else Missing.ABSENT


def _multifunction(
    function: Function, buses: Buses, owners: dict[str, str]
) -> Fact[bool]:
    """Let other functions of the slot stand for the bit, which words do not show.

    The kernel looks for them only where function 0 has it.
    """
    if known(function.multifunction):
        return function.multifunction
    others = [
        other
        for other in buses.slot(function)
        if str(other.record.address) not in owners and not other.named_virtual
    ]
    return True if len(others) > 1 else function.multifunction


def _groups(
    devices: list[Device], functions: list[Function], shown: _Shown
) -> tuple[Group, ...]:
    members: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        if device.group is not None and known(device.group):
            members[device.group].append(device)
    contested = {g for f in functions if len(f.groups) > 1 for g in f.groups}
    return tuple(
        Group(
            id=group,
            devices=tuple(members[group]),
            whole=shown.all_functions and group not in contested,
        )
        for group in sorted(members, key=natural_key)
    )
