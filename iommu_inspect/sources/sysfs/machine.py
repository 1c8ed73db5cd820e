"""A machine from a tree that holds ``sys/`` and, if it can, ``proc/``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known, map_fact, value_or
from iommu_inspect.model.group import Group, ReservedRegion
from iommu_inspect.model.kernel_release import carries_code_back
from iommu_inspect.model.machine import IommuUnit, Kernel, Machine, Source, VfioSettings
from iommu_inspect.model.platform import XenRole
from iommu_inspect.model.text import natural_key
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
from iommu_inspect.sources.sysfs.numbers import hexadecimal
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["HYPERVISOR_VENDORS", "TELLING_NAMES", "read_machine"]

_GROUPS = "sys/kernel/iommu_groups"
# Buses that put their devices into groups (iommu_buses[] in drivers/iommu/iommu.c).
_GROUPED_BUSES = ("pci", "platform", "amba", "fsl-mc", "cdx")
_IOMMU_TABLES = ("DMAR", "IVRS", "IORT", "VIOT", "RIMT")
TELLING_NAMES = (
    "driver_managed_dma",
    "iommu_device_claim_dma_owner",
    "require_direct",
)
"""Members and functions of the core that came with a change of the rules."""
_CPU_FLAGS = re.compile(r"^flags\s*:(.*)$", re.MULTILINE)
_MEMLOCK = re.compile(r"^Max locked memory +(unlimited|[0-9]{1,20}) ", re.MULTILINE)
HYPERVISOR_VENDORS = re.compile(
    r"QEMU|KVM|VMware|innotek|Xen|Bochs|Parallels|OpenStack|Amazon EC2|Google Compute"
)


def read_machine(tree: Tree, *, processes: bool = False) -> Machine:
    """Read every fact that ownership and the rules need.

    With ``processes`` that is also which processes have nodes of devices open.

    Devices that vanish while they are read are left out. The result is sorted and
    does not depend on the order in which the file system lists names.
    """
    group_ids = map_fact(tree.names(_GROUPS), _only_numbers)
    buses = _bus_devices(tree)
    xen = xen_role(tree)
    groups_known = (
        tree.whole
        or known(group_ids)
        or xen is XenRole.DOM0  # Xen has the IOMMU, and dom0 no groups
        or any(_has(tree, path, "iommu_group") for path in buses)
    )
    reader = DeviceReader(
        tree,
        drivers_known=_drivers_known(tree, buses),
        groups_known=groups_known,
    )
    listed, partial = _listed_members(tree, group_ids, buses)
    paths = set(buses) | set(listed)
    overrides = _driver_overrides(tree, paths)
    devices = [
        _with_group(device, listed.get(path, ()))
        for path, device in [
            (path, reader.read(path, overrides, buses.get(path))) for path in paths
        ]
        if not _has_vanished(tree, path)
    ]
    devices.sort(key=lambda device: (device.id, str(device.path)))
    kernel = _kernel(tree, devices)
    cpu = cpuinfo(tree)
    return Machine(
        source=Source(tree.kind, tree.label),
        kernel=kernel,
        groups=_groups(tree, group_ids, devices, partial | _contested(devices, listed)),
        ungrouped=tuple(d for d in devices if d.is_pci and _group_id(d) is None),
        groups_known=groups_known,
        iommus=_iommus(tree),
        firmware_tables=_firmware_tables(tree),
        iort_nodes=iort_nodes(tree),
        processor=processor(cpu),
        xen=xen,
        guest=_guest(tree, cpu),
        cpu_address_bits=cpu_address_bits(cpu),
        memlock_limit=_memlock_limit(tree),
        interrupt_remapping=interrupt_remapping(tree),
        vfio=_vfio_settings(tree),
        settings=read_settings(tree, kernel, devices, aliases=processes),
        host=read_host(tree, devices, processes=processes),
        system=read_system(tree, kernel),
        notes=(*tree.notes, *_unlisted(tree)),
    )


def _only_numbers(names: tuple[str, ...]) -> tuple[str, ...]:
    """Leave out what a capture may hold beside the groups (".gitkeep")."""
    return tuple(name for name in names if name.isdecimal())


def _has_vanished(tree: Tree, path: str) -> bool:
    """Say whether a device of a live host is gone, to be asked after it was read.

    The kernel removes this link before anything else (``bus_remove_device()``), so
    what was read of a device that still has it is whole.
    """
    return tree.whole and tree.target(f"{path}/subsystem") is Missing.ABSENT


def _group_id(device: Device) -> str | None:
    return device.group if known(device.group) else None


def _has(tree: Tree, path: str, link: str) -> bool:
    return known(tree.target(f"{path}/{link}"))


def _bus_devices(tree: Tree) -> dict[str, str]:
    """Return the bus by path, of PCI functions and of grouped devices elsewhere."""
    paths: dict[str, str] = {}
    for bus in _GROUPED_BUSES:
        directory = f"sys/bus/{bus}/devices"
        names = tree.names(directory)
        for name in names if known(names) else ():
            path = tree.target(f"{directory}/{name}")
            if not known(path) or not path:
                # Not a link: a capture that was made by copying what links show. One
                # that leads to the root leads to no device.
                path = f"{directory}/{name}"
            if bus == "pci" or _has(tree, path, "iommu_group"):
                paths[path] = bus
    return paths


def _unlisted(tree: Tree) -> Iterator[str]:
    """Yield a note for each bus whose devices are there and were not seen."""
    for bus in _GROUPED_BUSES:
        names = tree.names(f"sys/bus/{bus}/devices")
        if not known(names) and names is not Missing.ABSENT:
            yield (
                f"sys/bus/{bus}/devices could not be listed ({names.value}): devices "
                "without a group are not shown"
            )


def _drivers_known(tree: Tree, buses: Iterable[str]) -> bool:
    if tree.whole or any(tree.exists(f"sys/bus/{b}/drivers") for b in _GROUPED_BUSES):
        return True
    return any(_has(tree, path, "driver") for path in buses)


def _listed_members(
    tree: Tree, group_ids: Fact[tuple[str, ...]], buses: Iterable[str]
) -> tuple[dict[str, tuple[str, ...]], set[str]]:
    """Return the group ids by the path that each ``devices`` link resolves to.

    The links' own names are not parsed: two buses can have a device of one name,
    and then the second link has a number behind it. Only where a capture has no link,
    the name has to do; such a member is one that nothing more is known of, unless a
    bus shows a device of that name. The second result has the groups whose list of
    members is not there.
    """
    by_name = {path.rpartition("/")[2]: path for path in buses}
    members: dict[str, tuple[str, ...]] = {}
    partial: set[str] = set()
    for group_id in group_ids if known(group_ids) else ():
        directory = f"{_GROUPS}/{group_id}/devices"
        names = tree.names(directory)
        if not known(names):
            partial.add(group_id)
            continue
        for name in names:
            path = tree.target(f"{directory}/{name}")
            if not known(path) or not path:
                path = by_name.get(name, f"{directory}/{name}")
            members[path] = (*members.get(path, ()), group_id)
    return members, partial


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


def _driver_overrides(tree: Tree, paths: Iterable[str]) -> dict[str, Fact[str]]:
    files = {path: f"{path}/driver_override" for path in sorted(paths)}
    texts = tree.text_bounded(list(files.values()))
    return {path: texts[file] for path, file in files.items()}


def _with_group(device: Device, listed: tuple[str, ...]) -> Device:
    """Let the group's own list complete a device that does not name its group."""
    if not listed or _group_id(device):
        return device
    return replace(device, group=listed[0])


def _groups(
    tree: Tree,
    group_ids: Fact[tuple[str, ...]],
    devices: Iterable[Device],
    partial: set[str],
) -> tuple[Group, ...]:
    members: dict[str, list[Device]] = {}
    # Devices name their groups, but not those of buses that are not looked at.
    all_listed = known(group_ids) or group_ids is Missing.ABSENT
    if known(group_ids):
        members = {group_id: [] for group_id in group_ids}
    for device in devices:
        group_id = _group_id(device)
        if group_id is not None:
            members.setdefault(group_id, []).append(device)
    return tuple(
        Group(
            id=group_id,
            devices=tuple(members[group_id]),
            type=tree.text(f"{_GROUPS}/{group_id}/type"),
            name=tree.text(f"{_GROUPS}/{group_id}/name"),
            reserved_regions=map_fact(
                tree.text(f"{_GROUPS}/{group_id}/reserved_regions"), _regions
            ),
            whole=all_listed and group_id not in partial,
            node=tree.node(f"dev/vfio/{group_id}"),
        )
        for group_id in sorted(members, key=natural_key)
    )


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


def _kernel(tree: Tree, devices: Iterable[Device]) -> Kernel:
    features = set()
    if tree.exists("sys/class/vfio-dev") or any(
        value_or(d.vfio_devices, ()) for d in devices
    ):
        features.add("vfio-dev")
    if tree.exists("sys/class/misc/iommu") or tree.exists("sys/module/iommufd"):
        features.add("iommufd")
    group_ids = map_fact(tree.names(_GROUPS), _only_numbers)
    for group_id in group_ids[:1] if known(group_ids) else ():
        if tree.exists(f"{_GROUPS}/{group_id}/reserved_regions"):
            features.add("reserved-regions")
    release = tree.text("proc/sys/kernel/osrelease")
    if not known(release) or carries_code_back(release):
        features |= _built_in_names(tree)
    return Kernel(
        release=release,
        command_line=tree.text("proc/cmdline"),
        features=frozenset(features),
    )


def _built_in_names(tree: Tree) -> set[str]:
    """Look into the kernel's type information for names that tell its rules.

    It is several megabytes and so is read only where the release number does not
    tell. ``btf`` is among the result if it could be read.
    """
    btf = tree.large_data("sys/kernel/btf/vmlinux")
    if not known(btf):
        return set()
    return {
        "btf",
        *(name for name in TELLING_NAMES if b"\0%b\0" % name.encode() in btf),
    }


def _iommus(tree: Tree) -> Fact[tuple[IommuUnit, ...]]:
    names = tree.names("sys/class/iommu")
    if names is Missing.ABSENT and tree.whole:
        return ()
    if not known(names):
        return names
    return tuple(
        IommuUnit(
            name,
            map_fact(
                tree.target(f"sys/class/iommu/{name}/device/driver"),
                lambda path: path.rpartition("/")[2],
            ),
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


def _vfio_settings(tree: Tree) -> VfioSettings:
    def flag(module: str, parameter: str) -> Fact[bool]:
        text = tree.text(f"sys/module/{module}/parameters/{parameter}")
        return map_fact(text, lambda value: value == "Y")

    type1_loaded: Fact[bool] = Missing.ABSENT
    if tree.exists("sys/module/vfio_iommu_type1"):
        type1_loaded = True
    elif tree.exists("sys/module"):
        type1_loaded = False
    return VfioSettings(
        type1_loaded=type1_loaded,
        disable_denylist=flag("vfio_pci", "disable_denylist"),
        enable_unsafe_noiommu_mode=flag("vfio", "enable_unsafe_noiommu_mode"),
        type1_allow_unsafe_interrupts=flag(
            "vfio_iommu_type1", "allow_unsafe_interrupts"
        ),
        iommufd_allow_unsafe_interrupts=flag("iommufd", "allow_unsafe_interrupts"),
    )
