"""A machine from a tree that holds ``sys/`` and, if it can, ``proc/``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import zip_longest

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known, map_fact, value_or
from iommu_inspect.model.group import Group, ReservedRegion
from iommu_inspect.model.host.iommu import IommuUnit
from iommu_inspect.model.host.platform import XenRole
from iommu_inspect.model.machine import Machine, Source
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.text import natural_key
from iommu_inspect.sources.bounds import check_devices, check_group, check_groups
from iommu_inspect.sources.host.modprobe import read_settings
from iommu_inspect.sources.host.platform import (
    cpu_address_bits,
    cpuinfo,
    iort_nodes,
    processor,
    xen_role,
)
from iommu_inspect.sources.host.system import read_system
from iommu_inspect.sources.host.uses import read_host
from iommu_inspect.sources.sysfs.device import DeviceReader
from iommu_inspect.sources.sysfs.interrupts import interrupt_remapping
from iommu_inspect.sources.sysfs.kernel import read_kernel, vfio_settings
from iommu_inspect.sources.sysfs.listing import (
    GROUPED_BUSES,
    GROUPS,
    Listing,
    has_link,
    list_devices,
)
from iommu_inspect.sources.sysfs.numbers import hexadecimal
from iommu_inspect.sources.tree.tree import Tree

__all__ = [
    "HYPERVISOR_VENDORS",
    "driver_overrides",
    "has_vanished",
    "is_shown",
    "read_group",
    "read_machine",
]

# Devices that are read together; those who are awake may not stay so for long.
_AT_ONCE = 64
_IOMMU_TABLES = ("DMAR", "IVRS", "IORT", "VIOT", "RIMT")
_CPU_FLAGS = re.compile(r"^flags\s*:(.*)$", re.MULTILINE)
_MEMLOCK = re.compile(r"^Max locked memory +(unlimited|[0-9]{1,20}) ", re.MULTILINE)
HYPERVISOR_VENDORS = re.compile(
    r"QEMU|KVM|VMware|innotek|Xen|Bochs|Parallels|OpenStack|Amazon EC2|Google Compute"
)


def read_machine(
    tree: Tree, *, processes: bool = False, brief: bool = False
) -> Machine:
    """Read every fact that ownership and the rules need.

    With ``processes`` that is also which processes have nodes of devices open. What is
    ``brief`` is enough for a list, which needs who owns the groups, what devices are
    and what the host uses them for: their configuration spaces and what else takes
    long on a running host is left out.

    Devices that vanish while they are read are left out. The result is sorted and
    does not depend on the order in which the file system lists names.
    """
    listing = list_devices(tree)
    group_ids = listing.group_ids
    xen = xen_role(tree)
    absence_counts = (
        tree.whole
        or known(group_ids)
        or xen is XenRole.DOM0  # Xen has the IOMMU, and dom0 no groups
        or any(has_link(tree, path, "iommu_group") for path in listing.buses)
    )
    reader = DeviceReader(
        tree,
        drivers_known=_drivers_known(tree, listing.buses),
        groups_known=absence_counts,
        brief=brief,
    )
    check_groups(len(value_or(group_ids, ())), tree.label)
    check_devices(len(listing.paths), tree.label)
    overrides = {} if brief else driver_overrides(tree, listing.paths)
    read = list[tuple[str, Device]]()
    pieces = list(_pieces(sorted(listing.paths)))
    for paths, following in zip_longest(pieces, pieces[1:], fillvalue=()):
        reader.prepare(paths, following)
        for path in paths:
            device = reader.read(path, overrides, listing.buses.get(path))
            read.append((path, device))
    devices = [
        _with_group(device, listing.members.get(path, ()))
        for path, device in read
        if not has_vanished(tree, path)
    ]
    devices += listing.placeless
    devices.sort(key=lambda device: (device.id, str(device.path)))
    # Where the groups could not even be listed, none is known not to be there.
    groups_known = absence_counts and (
        known(group_ids)
        or group_ids is Missing.ABSENT
        or xen is XenRole.DOM0
        or any(_group_id(device) is not None for device in devices)
    )
    kernel = read_kernel(tree, devices, group_ids)
    cpu = cpuinfo(tree)
    return Machine(
        source=Source(tree.kind, tree.label),
        kernel=kernel,
        groups=_groups(tree, listing, devices),
        ungrouped=tuple(d for d in devices if _group_id(d) is None and is_shown(d)),
        groups_known=groups_known,
        iommus=_iommus(tree),
        firmware_tables=_firmware_tables(tree),
        iort_nodes=iort_nodes(tree),
        processor=processor(cpu),
        xen=xen,
        guest=_guest(tree, cpu),
        cpu_address_bits=cpu_address_bits(cpu),
        memlock_limit=_memlock_limit(tree),
        interrupt_remapping=interrupt_remapping(tree, processor(cpu)),
        vfio=vfio_settings(tree),
        settings=read_settings(tree, kernel, devices, aliases=processes),
        host=read_host(
            tree,
            devices,
            processes=processes,
            all_members=not (listing.partial or any(map(_may_be_mediated, devices))),
        ),
        system=read_system(tree, kernel),
        all_functions=all(bus != "pci" for bus, _ in listing.unlisted),
        unlisted=listing.unlisted,
        notes=(*tree.notes, *map(_note, listing.unlisted)),
    )


def _pieces(paths: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(paths), _AT_ONCE):
        yield paths[start : start + _AT_ONCE]


def has_vanished(tree: Tree, path: str) -> bool:
    """Say whether a device of a live host is gone, to be asked after it was read.

    The kernel removes this link before anything else (``bus_remove_device()``), so
    what was read of a device that still has it is whole.
    """
    return tree.whole and tree.target(f"{path}/subsystem") is Missing.ABSENT


def _group_id(device: Device) -> str | None:
    return device.group if known(device.group) else None


def _may_be_mediated(device: Device) -> bool:
    """Say whether a device whose bus is not told could be a mediated one, by name."""
    return not known(device.bus) and PciAddress.parse(device.address) is None


def is_shown(device: Device) -> bool:
    """Say whether a device without a group is spoken of: others may have one."""
    return device.is_pci or not known(device.group)


def _note(unlisted: tuple[str, Missing]) -> str:
    bus, why = unlisted
    return (
        f"sys/bus/{bus}/devices could not be listed ({why.value}): devices "
        "without a group are not shown"
    )


def _drivers_known(tree: Tree, buses: Iterable[str]) -> bool:
    if tree.whole or any(tree.exists(f"sys/bus/{b}/drivers") for b in GROUPED_BUSES):
        return True
    return any(has_link(tree, path, "driver") for path in buses)


def _contested(
    devices: Iterable[Device], listed: dict[str, tuple[str, ...]]
) -> set[str]:
    """Return the groups of devices that the source puts into more than one."""
    contested: set[str] = set()
    for device in devices:
        own = _group_id(device)
        claims = {*listed.get(str(device.path), ()), *([own] if own else [])}
        if len(claims) > 1:
            contested |= claims
    return contested


def driver_overrides(tree: Tree, paths: Iterable[str]) -> dict[str, Fact[str]]:
    """Read which drivers devices are kept for, by their paths."""
    files = {path: f"{path}/driver_override" for path in sorted(paths)}
    texts = tree.text_bounded(list(files.values()))
    return {path: texts[file] for path, file in files.items()}


def _with_group(device: Device, listed: tuple[str, ...]) -> Device:
    """Let the group's own list complete a device that does not name its group."""
    if not listed or _group_id(device):
        return device
    return replace(device, group=listed[0])


def _groups(
    tree: Tree, listing: Listing, devices: Sequence[Device]
) -> tuple[Group, ...]:
    members: dict[str, list[Device]] = {}
    if known(listing.group_ids):
        members = {group_id: [] for group_id in listing.group_ids}
    for device in devices:
        group_id = _group_id(device)
        if group_id is not None:
            members.setdefault(group_id, []).append(device)
    contested = _contested(devices, listing.members)
    told_by_devices = _told_by_devices(listing, devices)
    for group_id, some in members.items():
        check_group(group_id, len(some), tree.label)
    return tuple(
        read_group(
            tree,
            group_id,
            members[group_id],
            whole=group_id not in contested
            and (listing.is_whole(group_id) or told_by_devices),
        )
        for group_id in sorted(members, key=natural_key)
    )


def read_group(
    tree: Tree, group_id: str, devices: Iterable[Device], *, whole: bool
) -> Group:
    """Read what the kernel says of a group, whose members were read already."""
    return Group(
        id=group_id,
        devices=tuple(devices),
        type=tree.text(f"{GROUPS}/{group_id}/type"),
        name=tree.whole_lines(f"{GROUPS}/{group_id}/name"),
        reserved_regions=map_fact(
            tree.whole_lines(f"{GROUPS}/{group_id}/reserved_regions"), _regions
        ),
        whole=whole,
        node=tree.node(f"dev/vfio/{group_id}"),
    )


def _told_by_devices(listing: Listing, devices: Iterable[Device]) -> bool:
    """Say whether devices tell the members where no group has a list of its own.

    They name their groups, but not those of buses that were not listed; and one whose
    group is not told may be in any.
    """
    if listing.group_ids is not Missing.ABSENT or listing.unlisted:
        return False
    return all(known(device.group) for device in devices)


def _regions(text: str) -> Fact[tuple[ReservedRegion, ...]]:
    """Parse ``0xSTART 0xEND kind`` lines; one bad line spoils the fact."""
    regions = []
    for line in text.splitlines():
        words = line.split()
        if len(words) != 3:
            return Missing.UNREADABLE
        start, end = (hexadecimal(word, 16) for word in words[:2])
        if not known(start) or not known(end):
            return Missing.UNREADABLE
        regions.append(ReservedRegion(start, end, words[2]))
    return tuple(regions)


def _iommus(tree: Tree) -> Fact[tuple[IommuUnit, ...]]:
    names = tree.names("sys/class/iommu")
    if names is Missing.ABSENT and tree.whole:
        return ()
    if not known(names):
        return names
    return tuple(
        IommuUnit(
            name,
            tree.link_name(f"sys/class/iommu/{name}/device/driver"),
            map_fact(
                tree.text(f"sys/class/iommu/{name}/intel-iommu/cap"),
                lambda text: hexadecimal(f"0x{text}", 16),
            ),
        )
        for name in sorted(names, key=natural_key)
    )


def _firmware_tables(tree: Tree) -> Fact[tuple[str, ...]]:
    names = tree.names("sys/firmware/acpi/tables")
    if not known(names):
        return names
    return tuple(table for table in _IOMMU_TABLES if table in names)


def _guest(tree: Tree, cpu: Fact[str]) -> Fact[bool]:
    if known(cpu):
        flags = _CPU_FLAGS.search(cpu)
        if flags is not None:
            return "hypervisor" in flags[1].split()
    if tree.exists("sys/hypervisor/type"):
        return True
    vendor = tree.text("sys/class/dmi/id/sys_vendor")
    return map_fact(vendor, lambda text: bool(HYPERVISOR_VENDORS.search(text)))


def _memlock_limit(tree: Tree) -> Fact[int | None]:
    """Read the soft limit of the process that reads: VFIO locks all of a guest."""
    limits = tree.text("proc/self/limits")
    if not known(limits):
        return limits
    found = _MEMLOCK.search(limits)
    if found is None:
        return Missing.UNREADABLE
    return None if found[1] == "unlimited" else int(found[1])
