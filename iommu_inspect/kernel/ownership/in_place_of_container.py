"""What a group's user is answered who gives it an iommufd in place of a container.

iommufd stands in for VFIO's container since v6.2 (drivers/iommu/iommufd/vfio_compat.c).
VFIO_GROUP_SET_CONTAINER then claims nothing, and says 0 of a group that mixes drivers,
which VFIO_GROUP_GET_STATUS calls viable from then on; the claim comes with the first
device that is asked for (the comment in vfio_group_ioctl_get_status()).
"""

from __future__ import annotations

from iommu_inspect.kernel.answers import NOT_APPLICABLE, OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import IOMMUFD_AS_CONTAINER, NO_IOMMU_BY_IOMMUFD
from iommu_inspect.kernel.eras import Era, has_since
from iommu_inspect.kernel.ownership import words
from iommu_inspect.kernel.ownership.device_fd import GET_DEVICE_FD, no_such_device
from iommu_inspect.kernel.ownership.iommufd import refused_binding
from iommu_inspect.kernel.ownership.mappings import refused_attach
from iommu_inspect.kernel.ownership.operations import SET_CONTAINER, cannot_open
from iommu_inspect.kernel.ownership.roles import GroupOwnership
from iommu_inspect.kernel.ownership.tokens import GROUPS_ASK, refused_without_token
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.machine import Machine

__all__ = [
    "BY_IOMMUFD",
    "GET_BY_IOMMUFD",
    "SET_IOMMUFD",
    "get_by_iommufd",
    "set_iommufd",
]

BY_IOMMUFD = "(iommufd)"
"""What the name of a container's operation is followed by where an iommufd is given."""
SET_IOMMUFD = f"{SET_CONTAINER}{BY_IOMMUFD}"
GET_BY_IOMMUFD = f"{GET_DEVICE_FD}{BY_IOMMUFD}"
_SINCE = (6, 2)
_NO_IOMMU_SINCE = (6, 3)
_RULE = "iommufd-node"


def set_iommufd(machine: Machine, owners: GroupOwnership, era: Era) -> Answer:
    """Answer VFIO_GROUP_SET_CONTAINER with a fresh iommufd."""
    if era.since < _SINCE:
        return _none_yet()
    return (
        cannot_open(machine, owners)
        or _untold_without_iommu(machine, owners, era)
        or Answer(OK, _RULE, "an iommufd claims nothing yet", (IOMMUFD_AS_CONTAINER,))
    )


def get_by_iommufd(
    machine: Machine, device: Device, owners: GroupOwnership, era: Era
) -> Answer:
    """Answer VFIO_GROUP_GET_DEVICE_FD of a group that has been given an iommufd.

    vfio_df_group_open() in drivers/vfio/group.c binds the device to the iommufd, as
    VFIO_DEVICE_BIND_IOMMUFD does, and attaches it; a no-IOMMU device is left alone.
    """
    if era.since < _SINCE:
        return _none_yet()
    refused = (
        cannot_open(machine, owners)
        or no_such_device(device, era)
        or refused_without_token(machine, device, era, GROUPS_ASK)
        or _untold_without_iommu(machine, owners, era)
    )
    if refused is not None:
        return refused
    if owners.group.is_noiommu is True:
        return Answer(OK, "no-iommu-mode", "a no-IOMMU device is not claimed")
    return (
        refused_binding(machine, owners, era)
        or refused_attach(machine, owners.group, era)
        or Answer(OK, "mixed-ownership", "the claim succeeds", (IOMMUFD_AS_CONTAINER,))
    )


def _none_yet() -> Answer:
    because = "iommufd stands in for a container since v6.2"
    return Answer(NOT_APPLICABLE, _RULE, because, (IOMMUFD_AS_CONTAINER,))


def _untold_without_iommu(
    machine: Machine, owners: GroupOwnership, era: Era
) -> Answer | None:
    """Return why nothing is said of a group that may be of the no-IOMMU mode."""
    group = owners.group
    if group.is_noiommu is False:
        return None
    if not known(group.is_noiommu) or words.is_mediated(group):
        return Answer(UNKNOWN, "no-iommu-mode", words.NO_IOMMU_BEHIND)
    release = value_or(machine.kernel.release, "")
    if has_since(release, era, _NO_IOMMU_SINCE):
        return None
    because = "what v6.2 does with an iommufd in no-IOMMU mode is not known"
    return Answer(UNKNOWN, "no-iommu-mode", because, (NO_IOMMU_BY_IOMMUFD,))
