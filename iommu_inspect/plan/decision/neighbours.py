"""What becomes of a member that was not asked for and that a host's driver has."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.kernel.variants import vfio_driver_for
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, unread
from iommu_inspect.model.group import Group
from iommu_inspect.model.pci.classes import class_name
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_DISPLAY,
    PCI_BASE_CLASS_NETWORK,
    PCI_BASE_CLASS_SERIAL,
    PCI_BASE_CLASS_STORAGE,
)
from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.uses.host import HostUse
from iommu_inspect.model.uses.losses import perhaps_lost, perhaps_untold
from iommu_inspect.model.uses.words import described
from iommu_inspect.plan.decision.dpdk import driver_for_dpdk
from iommu_inspect.plan.decision.moves import NOT_TOLD, Decision, Move, Refusal
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules._words import addresses, verb
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.rules.host_loss import stopping

__all__ = [
    "decision",
    "driver_for",
    "driver_name",
    "fits",
    "lived_on",
    "perhaps_lived_on",
    "serves_the_host",
    "takes_target",
    "untold",
    "what_it_is",
]

# What the host keeps for itself though vfio-pci would take it: system management bus,
# SPI flash and other serial buses, thermal sensors, the management engine, timers.
_OF_THE_SYSTEM = (0x0C05, 0x0C80, 0x1180, 0x0780, 0x0880, 0x0800)

_NO_KIND = "a device"
_NO_DRIVER_NAME = "its driver"
_Decision = tuple[Decision, str, Refusal | None]


def fits(device: Device) -> bool:
    """Say whether vfio-pci takes such a device, and a host can live without it."""
    told = device.is_bridge is False and not unread(device.base_class)
    return device.is_pci and told and not device.is_chipset


def serves_the_host(device: Device) -> bool:
    """Say whether a device is for the board itself: SMBus, SPI flash, sensors."""
    return device.base_class in _OF_THE_SYSTEM


def driver_for(case: Case, device: Device) -> str:
    """Return the driver that a device goes to: what it is wanted for decides.

    For a vfio driver that is the one that the kernel has for the device.
    """
    if case.purpose is Purpose.DPDK and case.asked_for(device):
        return driver_for_dpdk(case, device)
    return vfio_driver_for(case.machine, device)


def decision(
    case: Case, group: Group, device: Device, below: Sequence[Device]
) -> _Decision:
    """Decide about a member with a driver of the host that nobody asked for."""
    driver = driver_name(device)
    counts = f"{driver} is a driver of the host in group {shown(group.id)}"
    if not device.is_pci and _may_be_lived_on(case, group, device):
        why = "nothing shows that the host does not live on it"
        return Decision.STAYS, why, perhaps_lived_on(group, [device])
    if not device.is_pci:
        bus = f"the bus {shown(device.bus)}" if known(device.bus) else "another bus"
        why = f"{counts}; on {bus} plan can only unbind"
        return Decision.RELEASED, why, None
    if not known(device.is_bridge) or unread(device.base_class):
        why = "what it is cannot be told, nor whether the host lives on it"
        return Decision.STAYS, why, perhaps_lived_on(group, [device])
    if device.is_bridge is True:
        return Decision.RELEASED, f"{counts}; vfio-pci does not take bridges", None
    if device.is_chipset:
        why = f"{counts}; a part of the chipset is not handed over"
        return Decision.RELEASED, why, None
    if below:
        why = f"{addresses(below[:3])} would go with its driver ({driver})"
        return Decision.STAYS, why, _takes_along(group, device, below)
    if serves_the_host(device):
        why = f"{counts}; it serves the host itself, and no guest needs it"
        return Decision.RELEASED, why, None
    if _may_be_lived_on(case, group, device):
        why = f"{_kind(device)}: nothing shows that the host does not live on it"
        return Decision.STAYS, why, perhaps_lived_on(group, [device])
    named = [d for d in case.targets_in(group) if d is not device]
    along = f" with {addresses(named)}" if named else ""
    return Decision.MOVES, f"shares the group{along}, and {driver} is the host's", None


def untold(move: Move) -> Refusal:
    """Refuse because a member's driver is not told."""
    name = shown(move.device.address)
    return Refusal(
        "mixed-ownership",
        False,
        f"Whether {name} in group {shown(move.group.id)} has to move cannot be told: "
        "the source does not tell what kind of driver it has.",
        "Make the plan on the host itself, or from a snapshot of it: that has the "
        "drivers.",
        (Look(Looking.DRIVER, move.device.id),),
    )


def lived_on(case: Case, move: Move, uses: Sequence[HostUse]) -> Refusal:
    """Refuse because the host would lose what it lives on."""
    device = move.device
    beside = "" if move.asked else f", of group {shown(move.group.id)},"
    return Refusal(
        "host-loss",
        True,
        f"The host lives on {shown(device.address)} ({what_it_is(device)}){beside} "
        f"with {described(uses)}. It stays where it is.",
        _OTHERWISE[bool(stopping(uses))]
        if move.asked or not case.neighbours(device)
        else "It shares the group, which goes as a whole: use another slot for the "
        "device that you want, or another device.",
        stopping(uses),
        elsewhere=not move.asked,
    )


_OTHERWISE = {
    False: "Hand over another device.",
    True: "Hand over another device, or have the host stop using it first.",
}


def takes_target(move: Move, taken: Sequence[Device]) -> Refusal:
    """Refuse because what was asked for would vanish."""
    name, driver = shown(move.device.address), driver_name(move.device)
    # A physical function that is on a vfio driver takes nothing along.
    told = move.device.driver != NOT_TOLD
    if all(device.pci.is_virtual for device in taken):
        return Refusal(
            "sriov-mix",
            told,
            f"{addresses(taken)} {verb(taken, 'shares', 'share')} group "
            f"{shown(move.group.id)} with the physical function {name} ({driver}), and "
            f"{verb(taken, 'vanishes', 'vanish')} with that driver.",
            "A virtual function that shares the group of its physical one cannot be "
            "had alone.",
            elsewhere=True,
        )
    vmd = "VMD, a Volume Management Device" if driver == "vmd" else driver
    return Refusal(
        "mixed-ownership",
        told,
        f"{addresses(taken)} {verb(taken, 'is', 'are')} behind {name} ({vmd}), which "
        f"owns the group. Without {driver} {verb(taken, 'it is', 'they are')} gone, "
        "and with that driver the kernel refuses the group.",
        f"Hand over {name} as a whole, with all that is behind it, or turn VMD off in "
        "the firmware's set-up: the drives then have groups of their own."
        if driver == "vmd"
        else f"Hand over {name} as a whole, with all that it has below it.",
    )


def _takes_along(group: Group, device: Device, below: Sequence[Device]) -> Refusal:
    name = shown(device.address)
    return Refusal(
        "mixed-ownership",
        True,
        f"{name} ({driver_name(device)}) shares group {shown(group.id)} and has "
        f"{addresses(below[:3])} below it, which would go with its driver.",
        f"Ask for {name} as well if the host can do without them, or use another slot.",
        elsewhere=True,
    )


def _may_be_lived_on(case: Case, group: Group, device: Device) -> bool:
    """Say whether the host may live on a neighbour, as far as the source tells.

    The USB port of a graphics card that was asked for is not taken for one: hosts
    do not boot from it, and the card goes as a whole. Beside another function, say
    the SATA controller of a chipset, a USB controller may have any disk.
    """
    machine = case.machine
    if not perhaps_lost(machine, device) and not perhaps_untold(machine, device):
        return False
    if _base(device) != PCI_BASE_CLASS_SERIAL:
        return True
    asked = {_slot(d) for d in case.targets_in(group)}
    graphics = {_slot(d) for d in group.devices if _base(d) == PCI_BASE_CLASS_DISPLAY}
    slot = _slot(device)
    return slot is None or slot not in asked & graphics


def _slot(device: Device) -> str | None:
    address = device.pci_address
    return address.slot_name if address else None


def perhaps_lived_on(group: Group, devices: Sequence[Device]) -> Refusal:
    """Refuse because nothing shows that the host does not live on neighbours."""
    one = len(devices) == 1
    names = listed(f"{shown(d.address)} ({_described(d)})" for d in devices)
    it = "it" if one else "them"
    on_network = any(_base(d) == PCI_BASE_CLASS_NETWORK for d in devices)
    on_disk = any(_base(d) != PCI_BASE_CLASS_NETWORK for d in devices)
    looks = [Looking.MOUNTS, Looking.SWAPS] if on_disk else []
    looks += [Looking.ROUTES] if on_network else []
    return Refusal(
        "host-loss",
        False,
        f"{names} {'shares' if one else 'share'} group {shown(group.id)}, and the host "
        f"may live on {it}: the source does not show what the host uses.",
        f"Look what the host uses {it} for. If it can do without, ask for {it} as "
        "well; if not, put the device that you want into another slot.",
        tuple(Look(what) for what in looks),
        elsewhere=True,
        asks=tuple(device.id for device in devices),
    )


def _described(device: Device) -> str:
    driver = driver_name(device)
    known_as = [] if driver == _NO_DRIVER_NAME else [driver]
    return ", ".join([what_it_is(device), *known_as])


def what_it_is(device: Device) -> str:
    """Name a device by what its class says, and by its model where that is told."""
    kind = _kind(device)
    if not device.name:
        return kind
    return shown(device.name) if kind == _NO_KIND else f"{kind}, {shown(device.name)}"


def _kind(device: Device) -> str:
    code = device.ids.class_code
    base = _base(device)
    if base == PCI_BASE_CLASS_STORAGE:
        return f"storage: {class_name(code) or 'a disk'}" if known(code) else "storage"
    if base == PCI_BASE_CLASS_NETWORK:
        return "network"
    return (class_name(code) if known(code) else None) or _NO_KIND


def _base(device: Device) -> int | None:
    base = device.base_class
    return base >> 8 if known(base) else None


def driver_name(device: Device) -> str:
    """Return the driver's name for prose."""
    driver = device.driver
    if driver is None or not known(driver) or driver == NOT_TOLD:
        return _NO_DRIVER_NAME
    return shown(driver)
