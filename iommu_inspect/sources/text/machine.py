"""A machine from the texts that somebody pasted of it."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Fact, Missing, known, map_fact, value_or
from iommu_inspect.model.group import Group, ReservedRegion
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.host.platform import Architecture, Processor
from iommu_inspect.model.host.settings import ModprobeConfig, Settings
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_DISPLAY,
    PCI_CLASS_SERIAL_USB,
)
from iommu_inspect.model.text import natural_key
from iommu_inspect.model.uses.host import Host
from iommu_inspect.sources.bounds import check_devices, check_group, check_lines
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.host.command_line import parse_command_line
from iommu_inspect.sources.host.modprobe import parse_modprobe
from iommu_inspect.sources.text.buses import Buses, Function, virtual_functions
from iommu_inspect.sources.text.cutting import Paste, cut
from iommu_inspect.sources.text.joining import Joined, join
from iommu_inspect.sources.text.places import places_of
from iommu_inspect.sources.text.said import DeviceFacts, HostFacts
from iommu_inspect.sources.text.telling import told_of, what_it_looks_like

__all__ = ["read_texts"]

_PARTIAL = (
    "the text seems to leave functions of the host out, so its groups may have more "
    "members than are shown"
)


@dataclass(frozen=True, slots=True)
class _Told:
    """What all texts together show.

    ``all_functions`` is false where functions of the host seem to be left out;
    ``whole_groups`` are those that a list shows all members of.
    """

    groups: bool
    all_functions: bool
    whole_groups: frozenset[str]


def read_texts(texts: Sequence[tuple[str, str]]) -> Machine:
    """Read one machine out of texts, each with what to call it.

    Raises:
        SourceError: Nothing in them is known, or they show two machines.
    """
    for text, label in texts:
        check_lines(text.count("\n"), label)
    pastes = [cut(text) for text, _ in texts]
    labels = " and ".join(label for _, label in texts)
    for (text, label), paste in zip(texts, pastes, strict=True):
        if not paste.kinds:
            raise SourceError(f"cannot read {label}: {what_it_looks_like(text)}")
    joined = join((said for paste in pastes for said in paste.said), labels)
    kinds = tuple(sorted({kind for paste in pastes for kind in paste.kinds}))
    return _machine(joined, pastes, labels, kinds)


def _machine(
    joined: Joined, pastes: list[Paste], labels: str, kinds: tuple[str, ...]
) -> Machine:
    functions = [
        Function(device, device.pci, facts)
        for device, facts in joined.devices.items()
        if device.pci is not None
    ]
    buses = Buses(functions)
    owners = virtual_functions(functions)
    told = _Told(
        groups=any(joined.groups.values()),
        all_functions=not any(paste.filtered for paste in pastes)
        and buses.are_all_shown(open_end=all(paste.open_end for paste in pastes)),
        whole_groups=_whole(pastes, joined),
    )
    joined = _with_ids(joined)
    devices = [
        _device(device, facts, joined, buses, owners)
        for device, facts in joined.devices.items()
    ]
    listed = [d for d in devices if d.is_pci or d.group is not None]
    check_devices(len(listed), labels)
    groups = _groups(listed, joined, told)
    for group in groups:
        check_group(group.id, len(group.devices), labels)
    notes = list(told_of(joined, pastes, listed))
    if told.groups and not all(group.whole for group in groups):
        notes.append(_PARTIAL)
    host = joined.host
    return Machine(
        source=Source(kinds[0] if len(kinds) == 1 else "mixed", labels, kinds),
        kernel=Kernel(host.release, host.command_line),
        groups=groups,
        ungrouped=tuple(
            d for d in listed if d.is_pci and (d.group is None or not known(d.group))
        ),
        groups_known=bool(groups),
        all_functions=told.all_functions,
        firmware_tables=host.firmware_tables
        if host.firmware_tables != ()
        else Missing.ABSENT,
        processor=_processor(host),
        guest=host.guest,
        interrupt_remapping=map_fact(
            host.remaps_interrupts,
            lambda on: InterruptRemapping.ON if on else InterruptRemapping.OFF,
        ),
        settings=_settings(host),
        host=_host(joined, devices),
        notes=tuple(notes),
        places=places_of(joined),
    )


def _with_ids(joined: Joined) -> Joined:
    """Let names stand for ids that no text shows."""
    named = [
        (facts.name, facts.ids)
        for device, facts in joined.devices.items()
        if device.pci is not None and known(facts.name) and not known(facts.ids.vendor)
    ]
    if not named:
        return joined
    from iommu_inspect.sources.text.naming import completed_ids

    found = completed_ids(named)
    devices = {
        device: replace(facts, ids=replace(facts.ids, **_derived(found[facts.name])))
        if known(facts.name) and facts.name in found and not known(facts.ids.vendor)
        else facts
        for device, facts in joined.devices.items()
    }
    return replace(joined, devices=devices)


def _derived(ids: PciIds) -> dict[str, Any]:
    return {"vendor": ids.vendor, "device": ids.device, "derived": True}


def _whole(pastes: list[Paste], joined: Joined) -> frozenset[str]:
    """Return the groups that lists show whole, and nothing else adds a member to."""
    found: set[str] = set()
    for paste in pastes:
        found |= paste.whole_groups
    if any(not claimed for claimed in joined.groups.values()):
        return frozenset()  # a device without a group may be in any
    return frozenset(found)


def _device(
    device: DeviceId,
    facts: DeviceFacts,
    joined: Joined,
    buses: Buses,
    owners: dict[str, str],
) -> Device:
    group = facts.group
    if len(joined.groups[device]) > 1:
        group = Missing.UNREADABLE
    if device.pci is None:
        return Device(
            device,
            f"sys/bus/platform/devices/{device}",
            driver=facts.driver,
            group=group,
            vfio_devices=Missing.ABSENT,
            name=value_or(facts.name, None),
        )
    function = Function(device, device.pci, facts)
    address = str(device)
    owner = owners.get(address)
    mine = tuple(
        DeviceId(virtual, "pci") for virtual, of in owners.items() if of == address
    )
    below = facts.buses
    return Device(
        device,
        buses.path(function, owner),
        driver=facts.driver,
        group=group,
        ids=facts.ids,
        pci=PciPlacement(
            header_type=facts.header_type,
            multifunction=_multifunction(function, buses, owners),
            pcie_type=facts.pcie_type,
            physfn=DeviceId(owner, "pci") if owner else facts.physfn,
            virtfns=mine or _no_virtfns(facts),
            acs=facts.acs,
            acs_listed=facts.acs_listed,
            sriov=facts.sriov,
            hotplug_slot=facts.hotplug_slot,
            secondary_bus=below[0] if known(below) else below,
            answers=facts.answers,
        ),
        vfio_devices=Missing.ABSENT,
        name=value_or(facts.name, None),
    )


def _no_virtfns(facts: DeviceFacts) -> Fact[tuple[DeviceId, ...]]:
    """Say that it has no virtual functions where it can have none, or all are off."""
    none = facts.sriov is None or facts.enabled_vfs == 0
    return () if none else Missing.ABSENT


def _multifunction(
    function: Function, buses: Buses, owners: dict[str, str]
) -> Fact[bool]:
    """Let other functions of the slot stand for the bit, which words do not show.

    The kernel looks for them only where function 0 has it.
    """
    if known(function.facts.multifunction):
        return function.facts.multifunction
    others = [
        other
        for other in buses.slot(function)
        if str(other.id) not in owners and not other.named_virtual
    ]
    return True if len(others) > 1 else function.facts.multifunction


def _groups(
    devices: Iterable[Device], joined: Joined, told: _Told
) -> tuple[Group, ...]:
    members: dict[str, list[Device]] = defaultdict(list)
    for device in devices:
        if device.group is not None and known(device.group):
            members[device.group].append(device)
    contested = {
        group
        for claimed in joined.groups.values()
        if len(claimed) > 1
        for group in claimed
    }
    # A device whose group is not told may be in any of them.
    untold = any(not known(device.group) for device in devices)
    return tuple(
        Group(
            id=group,
            devices=tuple(members[group]),
            reserved_regions=_direct_regions(members[group], joined),
            whole=group not in contested
            and not untold
            and (told.all_functions or group in told.whole_groups),
        )
        for group in sorted(members, key=natural_key)
    )


def _direct_regions(
    members: Iterable[Device], joined: Joined
) -> Fact[tuple[ReservedRegion, ...]]:
    """Return the regions that firmware wants mapped one to one for a member.

    Those of USB controllers and displays give way (``device_rmrr_is_relaxable()`` in
    drivers/iommu/intel/iommu.c). A log does not show the other regions of a group, and
    so none where it shows no such one.
    """
    found = {
        region
        for device in members
        if known(base := device.base_class)
        and base != PCI_CLASS_SERIAL_USB
        and base >> 8 != PCI_BASE_CLASS_DISPLAY
        for region in joined.devices[device.id].direct
    }
    if not found:
        return Missing.ABSENT
    return tuple(ReservedRegion(*region, "direct") for region in sorted(found))


def _processor(host: HostFacts) -> Fact[Processor]:
    if not known(host.processor):
        return host.processor
    if host.processor == "arm":
        return Processor(Architecture.ARM)
    return Processor(Architecture.X86, host.processor)


def _settings(host: HostFacts) -> Settings:
    modprobe: Fact[ModprobeConfig] = Missing.ABSENT
    if host.modprobe:
        lines = parse_modprobe("\n".join(host.modprobe), "the text").lines
        modprobe = ModprobeConfig(lines, unread=("the other files of modprobe.d",))
    return Settings(
        modprobe=modprobe,
        command_line=map_fact(host.command_line, parse_command_line),
    )


def _host(joined: Joined, devices: Iterable[Device]) -> Host:
    """Let names of interfaces and disks stand for their devices."""
    paths = {device.id: value_or(device.path, "") for device in devices}
    nodes = tuple(
        (node, (paths[device],))
        for device, facts in joined.devices.items()
        for node in facts.nodes
        if paths.get(device)
    )
    return Host(nodes=tuple(sorted(nodes))) if nodes else Host()
