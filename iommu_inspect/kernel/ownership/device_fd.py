"""What a user of a group is answered who asks it for one of its devices.

VFIO_GROUP_GET_DEVICE_FD comes after the container and the IOMMU: it is where QEMU says
"error getting device from group". Until v5.18 the kernel looked at the container, and
whether the group is viable, before it looked for the device; since v5.19 it looks for
the device first, and nothing asks whether the group is viable any more.
"""

from __future__ import annotations

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import DEVICE_FIRST, VFIO_VIABLE_REMOVED
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership import words
from iommu_inspect.kernel.ownership.operations import (
    ASK,
    GET_STATUS,
    SET_IOMMU,
    cannot_open,
)
from iommu_inspect.kernel.ownership.roles import GroupOwnership
from iommu_inspect.kernel.ownership.tokens import GROUPS_ASK, refused_without_token
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.machine import Machine

__all__ = ["GET_DEVICE_FD", "get_device_fd", "no_such_device"]

GET_DEVICE_FD = "VFIO_GROUP_GET_DEVICE_FD"
_RULE = "not-on-vfio"


def get_device_fd(
    machine: Machine, device: Device, owners: GroupOwnership, era: Era
) -> Answer:
    """Answer VFIO_GROUP_GET_DEVICE_FD, asked without a token after VFIO_SET_IOMMU.

    For a no-IOMMU group that was its own type. That the device itself can be opened
    (that it comes out of its reset, and its interrupt line is not another's) is
    supposed.
    """
    unopened = cannot_open(machine, owners)
    if unopened is not None:
        return unopened
    checks = (no_such_device(device, era), _not_set_up(machine, owners, era))
    first, second = checks if era.dma_owner else checks[::-1]
    return (
        first
        or second
        or refused_without_token(machine, device, era, GROUPS_ASK)
        or Answer(OK, _RULE, f"{device.address} is on {device.driver}")
    )


def no_such_device(device: Device, era: Era) -> Answer | None:
    """Return why a group has no such device, ``None`` where it has.

    vfio_device_get_from_name() looks among the group's devices on vfio drivers.
    """
    on_vfio = has_vfio_driver(device)
    if on_vfio is None:
        return Answer(UNKNOWN, _RULE, words.cannot_tell((device,)))
    if on_vfio:
        return None
    because = f"{device.address} is on no vfio driver"
    return Answer("-ENODEV", _RULE, because, (DEVICE_FIRST,) if era.dma_owner else ())


def _not_set_up(machine: Machine, owners: GroupOwnership, era: Era) -> Answer | None:
    """Say what is missing: before v5.19 viability, and a container with an IOMMU.

    Both are -EINVAL, so that one that is missing decides where the other is not told.
    """
    if owners.group.is_noiommu is True:
        return None
    iommu = ASK[SET_IOMMU](machine, owners, era)
    if not era.dma_owner:
        status = ASK[GET_STATUS](machine, owners, era)
        if status.result == "not-viable":
            because = f"the group is not viable: {status.because}"
            return Answer("-EINVAL", status.rule, because, (VFIO_VIABLE_REMOVED,))
        if status.result == UNKNOWN and iommu.result == OK:
            return status
    if iommu.result == OK:
        return None
    if iommu.result == UNKNOWN:
        return iommu
    because = f"the container has no IOMMU: SET_IOMMU returned {iommu.result}"
    return Answer("-EINVAL", iommu.rule, because, iommu.references)
