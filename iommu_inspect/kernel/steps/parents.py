"""What goes with a driver that lets go of a device, and what comes back with it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from iommu_inspect.kernel.answers import BLOCKS, UNKNOWN, Answer
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.sriov_drivers import LEAVES_VIRTUAL, REMOVES_VIRTUAL
from iommu_inspect.kernel.steps.leaving import leave_vfio
from iommu_inspect.model.aftermath import Gone
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.group import Held
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.relations import Relations
from iommu_inspect.model.text import natural_key

__all__ = ["came_back", "let_go"]

_RULE = "sriov-mix"


def let_go(machine: Machine, device: Device, era: Era) -> tuple[Machine, Answer | None]:
    """Take away what vanishes with a device's driver, and the claims that end with it.

    Returns the machine without it, and an answer where the driver does not let go or
    what becomes of the virtual functions cannot be told.
    """
    driver = normalised(str(device.driver))
    below = Relations(machine).below(device)
    virtual = [d for d in below if d.pci.is_virtual]
    others = [d for d in below if not d.pci.is_virtual]
    if virtual and driver not in REMOVES_VIRTUAL | LEAVES_VIRTUAL:
        because = f"whether {device.driver} takes its virtual functions along"
        return machine, Answer(UNKNOWN, _RULE, f"{because} is not known")
    gone = others if driver in LEAVES_VIRTUAL else [*virtual, *others]
    held = [d for d in gone if _is_open(machine, d)]
    if held:
        because = f"{held[0].address} is open: the driver waits until it is closed"
        return machine, Answer(BLOCKS, "mixed-ownership", because)
    after, waits = leave_vfio(machine, {device.id, *_ids(gone)}, era)
    if waits is not None or not gone:
        return after, waits
    after = _without(after, device, gone)
    if driver == "vmd":
        groups = tuple(
            group
            for group in machine.groups
            if any(each.id in _ids(gone) for each in group.devices)
        )
        kept = Gone(device.id, str(device.driver), tuple(gone), groups)
        after = _remembering(after, (*after.aftermath.gone, kept))
    return after, None


def _remembering(machine: Machine, gone: tuple[Gone, ...]) -> Machine:
    return replace(machine, aftermath=replace(machine.aftermath, gone=gone))


def _is_open(machine: Machine, device: Device) -> bool:
    group = machine.group_of(device)
    return device.bus == "mdev" and group is not None and group.held is Held.BY_USER


def _ids(devices: Iterable[Device]) -> frozenset[DeviceId]:
    return frozenset(device.id for device in devices)


def _without(machine: Machine, parent: Device, gone: list[Device]) -> Machine:
    """Return the machine without devices; a group that loses all its members goes."""
    ids = _ids(gone)
    groups = tuple(
        replace(g, devices=tuple(d for d in g.devices if d.id not in ids))
        for g in machine.groups
    )
    after = replace(
        machine,
        groups=tuple(g for g in groups if g.devices),
        ungrouped=tuple(d for d in machine.ungrouped if d.id not in ids),
    )
    current = after.device(parent.id)
    if current is None or not any(d.pci.is_virtual for d in gone):
        return after
    bare = replace(current, pci=replace(current.pci, virtfns=()))
    return _swapped(after, current, bare)


def _swapped(machine: Machine, old: Device, new: Device) -> Machine:
    def swap(devices: tuple[Device, ...]) -> tuple[Device, ...]:
        return tuple(new if device is old else device for device in devices)

    return replace(
        machine,
        groups=tuple(replace(g, devices=swap(g.devices)) for g in machine.groups),
        ungrouped=swap(machine.ungrouped),
    )


def came_back(machine: Machine, device: Device) -> Machine:
    """Bring back what vanished, where the driver that it went with is there again."""
    back = [
        gone
        for gone in machine.aftermath.gone
        if gone.parent == device.id and gone.driver == device.driver
    ]
    if not back:
        return machine
    groups = {group.id: group for group in machine.groups}
    ungrouped = list(machine.ungrouped)
    for gone in back:
        for group in gone.groups:
            groups.setdefault(group.id, replace(group, devices=()))
        for each in gone.devices:
            name = each.group
            if isinstance(name, str) and name in groups:
                members = (*groups[name].devices, each)
                ordered = tuple(sorted(members, key=lambda d: d.id))
                groups[name] = replace(groups[name], devices=ordered)
            else:
                ungrouped.append(each)
    return replace(
        machine,
        groups=tuple(sorted(groups.values(), key=lambda g: natural_key(g.id))),
        ungrouped=tuple(sorted(ungrouped, key=lambda d: d.id)),
        aftermath=replace(
            machine.aftermath,
            gone=tuple(gone for gone in machine.aftermath.gone if gone not in back),
        ),
    )
