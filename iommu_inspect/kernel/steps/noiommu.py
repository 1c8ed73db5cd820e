"""The groups that vfio makes up, and takes back, in its no-IOMMU mode.

vfio_group_find_or_alloc() in drivers/vfio/group.c: where a device has no group and the
mode is on, a vfio driver's probe makes one for it alone, which goes with the driver.
"""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.kernel.steps.state import free_group_id, with_group
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import natural_key

__all__ = ["made_up", "taken_back"]

_NAME = "vfio-noiommu"
# What iommu_group_show_type() says of a group without a domain.
_NO_DOMAIN = "unknown"


def made_up(machine: Machine, device: Device) -> Machine:
    """Return the machine with a group for a device that has none."""
    name = free_group_id(machine)
    member = replace(device, group=name)
    group = Group(name, (member,), type=_NO_DOMAIN, name=_NAME, reserved_regions=())
    groups = sorted((*machine.groups, group), key=lambda each: natural_key(each.id))
    ungrouped = tuple(each for each in machine.ungrouped if each.id != device.id)
    return replace(machine, groups=tuple(groups), ungrouped=ungrouped)


def taken_back(machine: Machine, device: Device) -> Machine:
    """Return the machine with a device out of its made-up group, if it is in one.

    vfio puts one device into each; what else a source shows there stays.
    """
    group = machine.group_of(device)
    if group is None or group.is_noiommu is not True:
        return machine
    left = tuple(each for each in group.devices if each.id != device.id)
    machine = with_group(machine, group, replace(group, devices=left))
    groups = tuple(each for each in machine.groups if each.devices)
    ungrouped = (*machine.ungrouped, replace(device, group=None))
    ordered = tuple(sorted(ungrouped, key=lambda each: each.id))
    return replace(machine, groups=groups, ungrouped=ordered)
