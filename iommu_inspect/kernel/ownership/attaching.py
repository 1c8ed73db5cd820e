"""What ``iommu_attach_device()`` would answer, by today's rule or a proposed one."""

from __future__ import annotations

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import SINGLETON
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership import words
from iommu_inspect.kernel.ownership.mappings import refused_attach
from iommu_inspect.kernel.ownership.proposals import PROPOSED, attach_as_proposed
from iommu_inspect.kernel.ownership.roles import GroupOwnership
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Held
from iommu_inspect.model.machine import Machine

__all__ = ["ATTACH_DEVICE", "attach"]

ATTACH_DEVICE = "iommu_attach_device"


def attach(
    machine: Machine, device: Device, owners: GroupOwnership, era: Era
) -> Answer:
    """Answer the call for a device with a group, with a fresh paging domain."""
    group = owners.group
    count = len(group.devices)
    if not group.whole:
        return Answer(UNKNOWN, "singleton-assumption", words.NOT_WHOLE)
    if era.proposal in PROPOSED:
        return attach_as_proposed(machine, device, owners, era)
    if era.singleton_check and count != 1:
        return Answer(
            "-EINVAL",
            "singleton-assumption",
            f"the group has {count} devices, one is allowed",
            (SINGLETON,),
        )
    if group.is_noiommu is not False:
        return Answer(UNKNOWN, "no-iommu-mode", words.NO_IOMMU_BEHIND)
    if words.is_mediated(group):
        return Answer(UNKNOWN, "no-iommu-mode", words.MEDIATED)
    if group.held is not Held.FREE:
        return Answer("-EBUSY", "mixed-ownership", words.HELD[group.held])
    refused = refused_attach(machine, group, era)
    if refused is not None:
        return refused
    if not era.singleton_check:
        return Answer(
            OK, "singleton-assumption", "this kernel does not check the group"
        )
    return Answer(
        OK,
        "singleton-assumption",
        "the device is alone in its group",
        (SINGLETON,),
    )
