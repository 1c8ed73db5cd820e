"""User space takes a group and lets it go: by its own node, or by a device's.

A group's node with a container takes it as a whole (VFIO_GROUP_SET_CONTAINER); the node
of a device takes it for one iommufd (VFIO_DEVICE_BIND_IOMMUFD). Neither goes while the
other has it.
"""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.iommufd import BIND
from iommu_inspect.kernel.ownership.operations import (
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
)
from iommu_inspect.kernel.steps.state import (
    Taken,
    device_of,
    done,
    group_of_step,
    only,
    with_group,
)
from iommu_inspect.kernel.steps.step import Claim, Release
from iommu_inspect.model.group import Held
from iommu_inspect.model.machine import Machine

__all__ = ["claim", "release"]


def claim(machine: Machine, era: Era, step: Claim) -> Taken:
    """Open the group, set the container, set the IOMMU: the first refusal counts."""
    if step.by_iommufd:
        return _bind_node(machine, era, step)
    group = group_of_step(machine, step)
    inquiry = Inquiry(machine, only(era))
    status = inquiry.operation(group, GET_STATUS)
    for operation in (SET_CONTAINER, SET_IOMMU):
        answer = inquiry.operation(group, operation)
        if answer.result != OK:
            because = f"{operation}: {answer.because}"
            return done(machine, step, replace(answer, because=because), group)
    if status.result == "not-viable":
        because = (
            "container and IOMMU are set, but the group is not viable "
            f"({status.because}): VFIO_GROUP_GET_DEVICE_FD then returns -EINVAL"
        )
        answer = replace(answer, because=because)
    after = with_group(machine, group, replace(group, held=Held.BY_USER))
    return done(after, step, answer, group)


def _bind_node(machine: Machine, era: Era, step: Claim) -> Taken:
    """Bind a device's own node to a fresh iommufd."""
    device = device_of(machine, step)
    group = machine.group_of(device)
    answer = Inquiry(machine, only(era)).by_iommufd(device, BIND)
    answer = replace(answer, because=f"{BIND}: {answer.because}")
    if answer.result != OK:
        return done(machine, step, answer, group)
    if group is None:
        # Nothing of what follows is foretold of a device that has no group to hold.
        answer = Answer(UNKNOWN, answer.rule, f"{answer.because}; it is not followed")
        return done(machine, step, answer, group)
    nodes = group.nodes | {device.id}
    held = replace(group, held=Held.BY_IOMMUFD, nodes=nodes)
    return done(with_group(machine, group, held), step, answer, group)


def _close_node(machine: Machine, step: Release) -> Taken:
    device = device_of(machine, step)
    group = machine.group_of(device)
    if group is None or device.id not in group.nodes:
        because = "user space has not bound its node: nothing changes"
        return done(machine, step, Answer(OK, "mixed-ownership", because), group)
    left = group.nodes - {device.id}
    held = Held.BY_IOMMUFD if left else Held.FREE
    after = with_group(machine, group, replace(group, held=held, nodes=left))
    because = "others of the group stay bound" if left else "the group is free"
    return done(after, step, Answer(OK, "mixed-ownership", because), group)


def release(machine: Machine, step: Release) -> Taken:
    """Close the group's node, or with ``by_iommufd`` the device's."""
    if step.by_iommufd:
        return _close_node(machine, step)
    group = group_of_step(machine, step)
    if group.held is not Held.BY_USER:
        # Nothing refuses to close a file, also one whose claim has ended before.
        because = "user space does not hold it: nothing changes"
        return done(machine, step, Answer(OK, "mixed-ownership", because), group)
    after = with_group(machine, group, replace(group, held=Held.FREE))
    return done(after, step, Answer(OK, "mixed-ownership", "the group is free"), group)
