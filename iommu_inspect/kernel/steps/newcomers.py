"""Devices that appear and go: hot-plug, and what any newcomer does to its group."""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.kernel.answers import HOST_CRASH, OK, UNKNOWN, Answer
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.grouping.making.joining import Grouping, Joins
from iommu_inspect.kernel.steps.binding import bind_answer
from iommu_inspect.kernel.steps.leaving import leave_vfio
from iommu_inspect.kernel.steps.state import (
    Outcome,
    Taken,
    device_of,
    done,
    free_group_id,
    with_group,
)
from iommu_inspect.kernel.steps.step import Hotplug, Unplug
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.group import Group, ReservedRegion
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.regs import PciExpType, PciHeaderType
from iommu_inspect.model.text import natural_key
from iommu_inspect.model.topology import Topology

__all__ = [
    "NEW_GROUP",
    "also_fits",
    "device_after",
    "hotplug",
    "unplug",
    "with_newcomer",
    "with_untold_driver",
    "without",
]

NEW_GROUP = "new"
_RULE = "singleton-assumption"
_SLOT = "a slot that takes cards while the host runs"
_SLOTS = 32


def hotplug(machine: Machine, era: Era, step: Hotplug) -> Taken:
    """Plug a card with one function in below a port."""
    port = device_of(machine, step)
    topology = Topology(machine)
    address = _place_for_card(topology, port)
    if isinstance(address, Answer):
        return done(machine, step, address, None)
    joins = Grouping(machine, topology).newcomer([port, *topology.upwards(port)])
    if joins.new is not None and _takes_cards(port) is None:
        because = f"the source does not tell whether {port.address} has {_SLOT}"
        joins = Joins(None, None, because)
    newcomer = Device(
        DeviceId(address, "pci"),
        f"{port.path}/{address}",
        driver=None,
        ids=PciIds(class_code=step.class_code),
        pci=_newcomer_placement(port),
        driver_override=None,
    )
    return _join(machine, era, step, newcomer, joins)


def _place_for_card(topology: Topology, port: Device) -> str | Answer:
    """Return the address that a card would get, or why none can be plugged in.

    A conventional bus may have slots that no register tells of (ACPI, SHPC).
    """
    name = port.address
    if port.is_bridge is not True:
        return Answer("-ENODEV", _RULE, f"{name} is not a port or bridge")
    if port.pci.pcie_type == PciExpType.UPSTREAM:
        because = f"{name} is an upstream port: the switch's own ports are below it"
        return Answer("-ENODEV", _RULE, because)
    address = _free_address(topology, port)
    if address is None:
        what = "the slot" if _is_link(port) else "every slot"
        return Answer("-EBUSY", _RULE, f"{what} below {name} is taken")
    if _takes_cards(port) is False:
        return Answer("-ENODEV", _RULE, f"{name} does not have {_SLOT}")
    return address


def _takes_cards(port: Device) -> bool | None:
    """Say whether cards come and go below a port that has room, ``None`` if untold."""
    if not known(port.pci.pcie_type):
        return None
    return value_or(port.pci.hotplug_slot, None) if _is_link(port) else True


def _is_link(port: Device) -> bool:
    """Say whether a PCI Express link is below it, which has only slot 0."""
    return port.pci.pcie_type in (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM)


def _newcomer_placement(port: Device) -> PciPlacement:
    kind = PciExpType.ENDPOINT if _is_link(port) else None
    return PciPlacement(
        header_type=PciHeaderType.NORMAL,
        multifunction=False,
        pcie_type=kind,
        physfn=None,
        virtfns=(),
        acs=None,
        sriov=None,
    )


def _join(
    machine: Machine,
    era: Era,
    step: Hotplug,
    newcomer: Device,
    joins: Joins,
) -> Taken:
    driver = step.driver
    if joins.new is None:
        answer = Answer(UNKNOWN, _RULE, joins.because)
        return machine, Outcome(step, answer, None)
    after, group_id = with_newcomer(machine, newcomer, joins)
    result, because = OK, joins.because
    if driver is not None:
        joined = device_after(after, newcomer.id)
        bound = bind_answer(after, joined, driver, era)
        if bound.result == OK:
            after = after.with_device(joined, replace(joined, driver=driver))
        because += f"; {driver} binding to it: {bound.result}"
        if bound.result == HOST_CRASH or (
            bound.result == UNKNOWN and not era.dma_owner
        ):
            # Before v5.19 the kernel that cannot refuse a driver may die of it.
            result = bound.result
    if other := also_fits(machine, newcomer, driver):
        after = with_untold_driver(after, newcomer.id)
        because += f"; {other} was told of an id that it may have: what takes it is not"
        because += " known"
        result = OK if era.dma_owner else UNKNOWN
    answer = Answer(result, _RULE, because)
    shown = NEW_GROUP if joins.new else group_id
    return after, Outcome(step, answer, shown)


def also_fits(machine: Machine, newcomer: Device, driver: str | None) -> str | None:
    """Return another driver that was told of an id which a newcomer has, or may have.

    device_attach() tries drivers in the order in which they came: any of two that fit
    may be the first.
    """
    for told, pair in sorted(machine.aftermath.given_ids):
        if driver is not None and told == normalised(driver):
            continue
        if newcomer.ids.pair == pair or (
            newcomer.ids.pair is None and _may_be(machine, newcomer, pair)
        ):
            return told.replace("_", "-")
    return None


def _may_be(machine: Machine, newcomer: Device, pair: str) -> bool:
    """Say whether a card of unknown ids may have these, by the class of who has."""
    codes = [d.ids.class_code for d in machine.devices if d.ids.pair == pair]
    kinds = {code >> 8 for code in codes if known(code)}
    code = newcomer.ids.class_code
    return not known(code) or not kinds or code >> 8 in kinds


def with_untold_driver(machine: Machine, name: DeviceId) -> Machine:
    """Return the machine where what drives a device is not known."""
    device = device_after(machine, name)
    return machine.with_device(device, replace(device, driver=Missing.ABSENT))


def device_after(machine: Machine, name: DeviceId) -> Device:
    """Return a device as it is now: a step may have replaced it."""
    return next(device for device in machine.devices if device.id == name)


def with_newcomer(
    machine: Machine, newcomer: Device, joins: Joins
) -> tuple[Machine, str | None]:
    """Put a device into the group that it joins; the id of that, if it has one."""
    if joins.group is not None:
        joined = replace(newcomer, group=joins.group.id)
        members = sorted((*joins.group.devices, joined), key=lambda device: device.id)
        grown = replace(joins.group, devices=tuple(members))
        return with_group(machine, joins.group, grown), joins.group.id
    if not joins.new:
        ungrouped = (*machine.ungrouped, replace(newcomer, group=None))
        return replace(machine, ungrouped=ungrouped), None
    # The kernel takes the lowest free number, but what is free is not always seen.
    group_id = free_group_id(machine)
    template = machine.groups[0]
    group = Group(
        group_id,
        (replace(newcomer, group=group_id),),
        type=template.type,
        reserved_regions=_usual_regions(machine),
    )
    groups = sorted((*machine.groups, group), key=lambda g: natural_key(g.id))
    return replace(machine, groups=tuple(groups)), group_id


def _usual_regions(machine: Machine) -> Fact[tuple[ReservedRegion, ...]]:
    """Return what groups without special devices have: the MSI window, mostly."""
    regions = [g.reserved_regions for g in machine.groups]
    told = [r for r in regions if known(r)]
    if not told:
        return Missing.ABSENT
    return tuple(region for region in min(told, key=len) if region.kind != "direct")


def _free_address(topology: Topology, port: Device) -> str | None:
    """Return an address below a port, ``None`` where all are taken."""
    there = topology.children(port)
    above = PciAddress.parse(port.address)
    if above is None:
        return None
    bus = value_or(port.pci.secondary_bus, above.bus)
    if _is_link(port):
        return None if there else str(PciAddress(above.domain, bus, 0, 0))
    taken = {a.slot for a in (d.pci_address for d in there) if a}
    free = (slot for slot in range(1, _SLOTS) if slot not in taken)
    slot = next(free, None)
    return None if slot is None else str(PciAddress(above.domain, bus, slot, 0))


def unplug(machine: Machine, era: Era, step: Unplug) -> Taken:
    """Take a device away, with what is below it."""
    device = device_of(machine, step)
    group = machine.group_of(device)
    gone = {d.id for d in Topology(machine).subtree(device)}
    machine, waits = leave_vfio(machine, gone, era)
    if waits is not None:
        return done(machine, step, waits, group)
    answer = Answer(OK, _RULE, "what is below it goes too")
    return done(without(machine, gone), step, answer, group)


def without(machine: Machine, gone: set[DeviceId]) -> Machine:
    """Take devices away; a group that nobody is left in goes too."""
    groups = []
    for group in machine.groups:
        left = tuple(d for d in group.devices if d.id not in gone)
        if left or not group.devices:
            groups.append(replace(group, devices=left))
    ungrouped = tuple(d for d in machine.ungrouped if d.id not in gone)
    return replace(machine, groups=tuple(groups), ungrouped=ungrouped)
