"""Devices that appear and go: hot-plug and virtual functions."""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.grouping.joining import Grouping, Joins
from iommu_inspect.kernel.steps.binding import bind_answer
from iommu_inspect.kernel.steps.state import (
    Outcome,
    Taken,
    device_of,
    done,
    with_device,
    with_group,
)
from iommu_inspect.kernel.steps.step import Step
from iommu_inspect.model.address import PciAddress, natural_key
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import (
    Device,
    Group,
    Machine,
    PciIds,
    PciPlacement,
    ReservedRegion,
)
from iommu_inspect.model.pci_regs import PciExpType, PciHeaderType
from iommu_inspect.model.topology import Topology

__all__ = ["hotplug", "sriov", "unplug"]

NEW_GROUP = "new"


def hotplug(machine: Machine, era: Era, step: Step) -> Taken:
    """Plug a card with one function in below a port."""
    port = device_of(machine, step)
    rule = "singleton-assumption"
    if port.is_bridge is not True:
        refused = Answer("-ENODEV", rule, f"{port.address} is not a port or bridge")
        return done(machine, step, refused, None)
    topology = Topology(machine)
    address = _free_address(topology, port)
    if address is None:
        refused = Answer("-EBUSY", rule, f"the slot below {port.address} is taken")
        return done(machine, step, refused, None)
    joins = Grouping(machine, topology).newcomer([port, *topology.upwards(port)])
    newcomer = Device(
        DeviceId(address, "pci"),
        f"{port.path}/{address}",
        driver=None,
        ids=PciIds(class_code=_class_code(step.argument(0))),
        pci=_newcomer_placement(port),
        driver_override=None,
    )
    return _join(machine, era, step, newcomer, joins, step.argument(1))


def _newcomer_placement(port: Device) -> PciPlacement:
    conventional = port.pci.pcie_type not in (
        PciExpType.ROOT_PORT,
        PciExpType.DOWNSTREAM,
    )
    kind = None if conventional else PciExpType.ENDPOINT
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
    step: Step,
    newcomer: Device,
    joins: Joins,
    driver: str | None,
) -> Taken:
    if joins.new is None:
        answer = Answer(UNKNOWN, "singleton-assumption", joins.because)
        return machine, Outcome(step, answer, None)
    after, group_id = _with_newcomer(machine, newcomer, joins)
    because = joins.because
    if driver is not None:
        joined = next(d for d in after.devices if d.address == newcomer.address)
        bound = bind_answer(after, joined, driver, era)
        if bound.result == OK:
            after = with_device(after, joined, replace(joined, driver=driver))
        because += f"; {driver} binding to it: {bound.result}"
    answer = Answer(OK, "singleton-assumption", because)
    shown = NEW_GROUP if joins.new else group_id
    return after, Outcome(step, answer, shown)


def _with_newcomer(
    machine: Machine, newcomer: Device, joins: Joins
) -> tuple[Machine, str | None]:
    if joins.group is not None:
        joined = replace(newcomer, group=joins.group.id)
        members = sorted((*joins.group.devices, joined), key=lambda device: device.id)
        grown = replace(joins.group, devices=tuple(members))
        return with_group(machine, joins.group, grown), joins.group.id
    if not joins.new:
        ungrouped = (*machine.ungrouped, replace(newcomer, group=None))
        return replace(machine, ungrouped=ungrouped), None
    # The kernel takes the lowest free number, but what is free is not always seen.
    group_id = _free_group_id(machine)
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


def _free_group_id(machine: Machine) -> str:
    taken = {group.id for group in machine.groups}
    number = 0
    while str(number) in taken:
        number += 1
    return str(number)


def _free_address(topology: Topology, port: Device) -> str | None:
    """Return an address below a port; a PCI Express link has only slot 0."""
    there = topology.children(port)
    above = PciAddress.parse(port.address)
    if above is None:
        return None
    if port.pci.pcie_type in (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM):
        if there:
            return None
        bus = port.pci.secondary_bus
        number = bus if known(bus) else above.bus
        return str(PciAddress(above.domain, number, 0, 0))
    taken = {a.slot for a in (d.pci_address for d in there) if a}
    bus = port.pci.secondary_bus
    number = bus if known(bus) else above.bus
    slot = next(slot for slot in range(1, 32) if slot not in taken)
    return str(PciAddress(above.domain, number, slot, 0))


def _class_code(word: str | None) -> int | Missing:
    """Read ``0200`` or ``020000``; a name of a class counts as not known."""
    try:
        return int(word, 16) << (24 - 4 * len(word)) if word else Missing.ABSENT
    except ValueError:
        return Missing.ABSENT


def sriov(machine: Machine, _era: Era, step: Step) -> Taken:
    """Write ``sriov_numvfs``: virtual functions appear, or go with 0."""
    physical = device_of(machine, step)
    rule = "singleton-assumption"
    wanted = int(step.arguments[0])
    capability = physical.pci.sriov
    group = machine.group_of(physical)
    if not known(capability):
        answer = Answer(UNKNOWN, rule, "the source does not tell its SR-IOV capability")
        return done(machine, step, answer, group)
    if capability is None:
        answer = Answer("-ENOENT", rule, "it has no SR-IOV capability")
        return done(machine, step, answer, group)
    present = physical.pci.virtfns
    if not known(present):
        answer = Answer(UNKNOWN, rule, "the source does not tell its virtual functions")
        return done(machine, step, answer, group)
    if wanted == len(present):
        answer = Answer(OK, rule, "it has that many virtual functions already")
        return done(machine, step, answer, group)
    if wanted > capability.total_vfs:
        because = f"it can have {capability.total_vfs} virtual functions"
        return done(machine, step, Answer("-ERANGE", rule, because), group)
    unable = _cannot_have_vfs(physical)
    if unable is not None:
        return done(machine, step, unable, group)
    if wanted and present:
        answer = Answer("-EBUSY", rule, "it has virtual functions already")
        return done(machine, step, answer, group)
    if not wanted:
        return _without_vfs(machine, step, physical, present)
    return _with_vfs(machine, step, physical, wanted)


def _cannot_have_vfs(physical: Device) -> Answer | None:
    """The driver makes virtual functions; none does without one."""
    rule = "singleton-assumption"
    if not known(physical.driver):
        return Answer(UNKNOWN, rule, "the source does not tell its driver")
    if physical.driver is None:
        return Answer("-ENOENT", rule, "no driver is bound that could make them")
    if has_vfio_driver(physical) is not False:
        because = "vfio-pci makes them only with its parameter enable_sriov"
        return Answer(UNKNOWN, rule, because)
    return None


def _with_vfs(machine: Machine, step: Step, physical: Device, count: int) -> Taken:
    addresses = [_vf_address(physical, index) for index in range(count)]
    topology = Topology(machine)
    joined: set[str | None] = set()
    because = ""
    for address in addresses:
        joins = Grouping(machine, topology).newcomer_beside(physical)
        because = joins.because
        if joins.new is None:
            return machine, Outcome(
                step, Answer(UNKNOWN, "singleton-assumption", because), None
            )
        virtual = Device(
            DeviceId(address, "pci"),
            f"{str(physical.path).rpartition('/')[0]}/{address}",
            driver=None,
            ids=physical.ids,
            pci=PciPlacement(
                0, False, PciExpType.ENDPOINT, physical.address, (), None, None
            ),
            driver_override=None,
        )
        machine, group_id = _with_newcomer(machine, virtual, joins)
        joined.add(NEW_GROUP if joins.new else group_id)
    current = next(d for d in machine.devices if d.address == physical.address)
    placed = replace(current.pci, virtfns=tuple(addresses))
    machine = with_device(machine, current, replace(current, pci=placed))
    group = joined.pop() if len(joined) == 1 else None
    return machine, Outcome(step, Answer(OK, "singleton-assumption", because), group)


def _vf_address(physical: Device, index: int) -> str:
    """Place a virtual function by the capability's offset and stride."""
    capability, address = physical.pci.sriov, PciAddress.parse(physical.address)
    if not known(capability) or capability is None or address is None:
        return f"{physical.address}-vf{index}"
    own = address.bus << 8 | address.slot << 3 | address.function
    found = own + capability.first_offset + capability.stride * index
    place = PciAddress(address.domain, found >> 8 & 0xFF, found >> 3 & 0x1F, found & 7)
    return str(place)


def _without_vfs(
    machine: Machine, step: Step, physical: Device, gone: tuple[str, ...]
) -> Taken:
    placed = replace(physical, pci=replace(physical.pci, virtfns=()))
    after = with_device(machine, physical, placed)
    answer = Answer(OK, "singleton-assumption", f"{len(gone)} virtual functions go")
    group = machine.group_of(physical)
    return done(_without(after, set(gone)), step, answer, group)


def unplug(machine: Machine, _era: Era, step: Step) -> Taken:
    """Take a device away, with what is below it."""
    device = device_of(machine, step)
    gone = {d.address for d in Topology(machine).subtree(device)}
    answer = Answer(OK, "singleton-assumption", "what is below it goes too")
    return done(_without(machine, gone), step, answer, machine.group_of(device))


def _without(machine: Machine, gone: set[str]) -> Machine:
    """Take devices away; a group that nobody is left in goes too."""
    groups = []
    for group in machine.groups:
        left = tuple(d for d in group.devices if d.address not in gone)
        if left or not group.devices:
            groups.append(replace(group, devices=left))
    ungrouped = tuple(d for d in machine.ungrouped if d.address not in gone)
    return replace(machine, groups=tuple(groups), ungrouped=ungrouped)
