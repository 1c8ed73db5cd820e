"""What a plan supposes where a fact is missing, and how to find out whether it is so.

A plan that supposes something is conditional: first the checks, with what each answer
means, then the steps for the case that all is as supposed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from iommu_inspect.kernel.ownership.mappings import DirectMapping, direct_mapping
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import Missing, known, unread
from iommu_inspect.model.group import Group, ReservedRegion
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciHeaderType
from iommu_inspect.model.text import shown
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.model.uses.losses import perhaps_lost, perhaps_untold
from iommu_inspect.plan.decision.moves import NOT_TOLD
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules._words import addresses

__all__ = ["NOT_KNOWN", "Assumed", "Condition", "assume"]

# What a group is called whose number is not told, and who is in it is supposed.
NOT_KNOWN = "?"

_LOOK_AT = {
    UseKind.FILE_SYSTEM: Looking.MOUNTS,
    UseKind.SWAP: Looking.SWAPS,
    UseKind.DEFAULT_ROUTE: Looking.ROUTES,
}

# The names of what is mounted or has the route are often those of what is on top.
_NO_DISK = (
    "No disk of {} is in use: neither by its own name in what findmnt and swapon show, "
    "nor by that of what find shows on top of it (LVM, LUKS, md). nvme0c0n1 is a path "
    "of nvme0n1. ZFS, and Btrfs on several disks, are not seen so: look there too."
)
_NO_INTERFACE = (
    "No interface of {} is the way out: neither itself, nor what find shows on top of "
    "it (bond, bridge, VLAN), nor a tunnel that leaves by it has the default route."
)


@dataclass(frozen=True, slots=True)
class Condition:
    """A check: what to look at, which answer is as supposed, what another means."""

    looks: tuple[Look, ...]
    supposed: str
    otherwise: str


@dataclass(frozen=True, slots=True)
class Assumed:
    """The machine as it is supposed to be, the targets on it, and the checks."""

    machine: Machine
    targets: tuple[Target, ...]
    conditions: tuple[Condition, ...]


def assume(machine: Machine, targets: Iterable[Target]) -> Assumed:
    """Suppose what is missing for a plan about these targets, and nothing else.

    What is told stays as it is. Nothing is supposed about whether the host lives on a
    device that nobody asked for: that one stays.
    """
    found = tuple(targets)
    conditions: list[Condition] = []
    machine, grouped = _with_groups(machine, found)
    conditions += grouped
    found = tuple(_again(machine, target) for target in found)
    groups = dict.fromkeys(t.group.id for t in found if t.group is not None)
    for name in groups:
        machine, told = _with_members(machine, name, found)
        conditions += told
    if groups:
        machine, told = _with_interrupts(machine)
        conditions += told
    found = tuple(_again(machine, target) for target in found)
    conditions += _uses(machine, found)
    return Assumed(machine, found, tuple(conditions))


def _again(machine: Machine, target: Target) -> Target:
    """Return a target on the machine that was changed since."""
    if target.device is not None:
        device = machine.device(target.device.id) or target.device
        return Target(target.text, device, machine.group_of(device))
    group = machine.group(target.group.id) if target.group else None
    return Target(target.text, None, group)


def _with_groups(
    machine: Machine, targets: tuple[Target, ...]
) -> tuple[Machine, list[Condition]]:
    """Suppose that a device whose group is not told shares it with its own card.

    That is the least that a group holds of a card with several functions that have no
    ACS; who else is in it only the host can tell.
    """
    conditions = []
    for target in targets:
        device = target.device
        if device is None or target.group is not None or not device.is_pci:
            continue
        if known(device.group) and machine.groups_known:
            continue  # it has none: no-iommu speaks of that
        current = machine.device(device.id)
        if current is None or machine.group_of(current) is not None:
            continue
        members = tuple(
            d
            for d in machine.ungrouped
            if _slot(d) == _slot(device) and d.is_bridge is not True
        )
        machine = _grouped(machine, members)
        names = addresses(members)
        conditions.append(
            Condition(
                (Look(Looking.NEIGHBOURS, device.id),),
                f"names {names} and nothing else but PCI bridges (0604): the group is "
                "the card itself.",
                "If it names others, make the plan again with that listing. If there "
                "is no such directory, the IOMMU is off: see 'explain no-iommu'.",
            )
        )
    return machine, conditions


def _slot(device: Device) -> str | None:
    address = device.pci_address
    return address.slot_name if address else None


def _grouped(machine: Machine, members: tuple[Device, ...]) -> Machine:
    name = NOT_KNOWN
    while machine.group(name) is not None:
        name += NOT_KNOWN
    mode = machine.vfio.enable_unsafe_noiommu_mode
    group = Group(
        name,
        tuple(replace(d, group=name) for d in members),
        # In that mode it may be one that vfio makes up.
        name=Missing.UNREADABLE if mode is True or unread(mode) else Missing.ABSENT,
        reserved_regions=Missing.ABSENT,
    )
    return replace(
        machine,
        groups=(*machine.groups, group),
        ungrouped=tuple(d for d in machine.ungrouped if d not in members),
        groups_known=True,
    )


def _with_members(
    machine: Machine, name: str, targets: tuple[Target, ...]
) -> tuple[Machine, list[Condition]]:
    group = machine.group(name)
    if group is None or not group.devices:
        return machine, []
    conditions = []
    if not group.whole:
        conditions.append(
            Condition(
                (Look(Looking.MEMBERS, group.id),),
                f"names {addresses(group.devices)} and nothing else.",
                "If it names others, make the plan again with that listing.",
            )
        )
    if direct_mapping(group) is DirectMapping.UNKNOWN:
        looks = [Look(Looking.REGIONS_OF, group.devices[0].id)]
        conditions.append(
            Condition(
                tuple(looks),
                "no line ends in 'direct'.",
                "If one does, firmware insists on a 1:1 mapping and the kernel "
                "refuses the group: see 'explain direct-mapping'.",
            )
        )
    asked = {t.device.id for t in targets if t.device is not None}
    members = []
    for device in group.devices:
        supposed = _supposed(device, asked=device.id in asked)
        members.append(supposed)
        if supposed.driver != device.driver:
            conditions.append(_about_driver(device, supposed))
    regions = group.reserved_regions
    changed = replace(
        group,
        devices=tuple(members),
        whole=True,
        reserved_regions=regions if known(regions) else _no_regions(),
    )
    groups = tuple(changed if g is group else g for g in machine.groups)
    return replace(machine, groups=groups), conditions


def _no_regions() -> tuple[ReservedRegion, ...]:
    return ()


def _supposed(device: Device, *, asked: bool) -> Device:
    if asked and device.is_pci and not known(device.is_bridge):
        placement = replace(device.pci, header_type=PciHeaderType.NORMAL)
        device = replace(device, pci=placement)
    if known(device.driver) or has_vfio_driver(device):
        return device  # it stays, whatever the driver is called
    if device.is_bridge is True:
        return replace(device, driver="pcieport", vfio_devices=())
    return replace(device, driver=NOT_TOLD, vfio_devices=())


def _about_driver(device: Device, supposed: Device) -> Condition:
    name = shown(device.address)
    if supposed.driver == "pcieport":
        return Condition(
            (Look(Looking.DRIVER, device.id),),
            f"ends in pcieport, or {name} has no driver.",
            f"Another driver on the bridge {name} keeps the group from user space: "
            "make the plan again with the drivers (lspci -k).",
        )
    return Condition(
        (Look(Looking.DRIVER, device.id),),
        "ends in a driver of the host, or there is none: the steps take it off.",
        f"If it is vfio-pci, {name} is there already: leave out what is about it.",
    )


def _with_interrupts(machine: Machine) -> tuple[Machine, list[Condition]]:
    if known(machine.interrupt_remapping):
        return machine, []
    if machine.vfio.type1_allow_unsafe_interrupts is True:
        return machine, []
    if all(group.is_noiommu is True for group in machine.groups):
        return machine, []
    return replace(machine, interrupt_remapping=InterruptRemapping.ON), [
        Condition(
            (Look(Looking.INTERRUPTS),),
            "a name begins with IR- (x86) or ITS- (arm64): interrupts are remapped.",
            "If none does, VFIO refuses every group with -EPERM: see 'explain "
            "interrupt-remapping'.",
        )
    ]


def _uses(machine: Machine, targets: tuple[Target, ...]) -> Iterator[Condition]:
    """Have devices looked at that were asked for and that the host may live on.

    A group that was asked for asks for each of its devices. What is below another one
    is in the listing of that.
    """
    found: dict[DeviceId, Device] = {}
    kinds: set[UseKind] = set()
    for device in (d for target in targets for d in target.devices):
        mine = {kind for kind, _ in perhaps_untold(machine, device)}
        mine |= {use.kind for use in perhaps_lost(machine, device)}
        if mine & _LOOK_AT.keys():
            found[device.id] = device
            kinds |= mine
    inside = {d.id for device in found.values() for d in machine.inside(device)}
    names = [Look(Looking.NAMES, name) for name in found if name not in inside]
    if not names:
        return
    of_disks = {UseKind.FILE_SYSTEM, UseKind.SWAP}
    kinds |= of_disks if kinds & of_disks else set()
    looks = [Look(look) for kind, look in _LOOK_AT.items() if kind in kinds]
    it = "the first listing" if len(names) == 1 else "the listings of /sys"
    sentences = [_NO_DISK] if kinds & of_disks else []
    sentences += [_NO_INTERFACE] if UseKind.DEFAULT_ROUTE in kinds else []
    text = " ".join(sentence.format(it) for sentence in sentences)
    yield Condition(
        (*names, Look(Looking.STANDING_ON), *looks),
        text[0].lower() + text[1:],
        "If one is, the host lives on it and loses that with the driver: take another "
        "device.",
    )
