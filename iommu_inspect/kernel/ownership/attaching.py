"""What ``iommu_attach_device()`` would answer, by today's rule or the proposed one."""

from __future__ import annotations

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import PROPOSED_SINGLE_DRIVER, SINGLETON
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership import words
from iommu_inspect.kernel.ownership.mappings import refused_attach
from iommu_inspect.kernel.ownership.roles import GroupOwnership, Role
from iommu_inspect.model.machine import Device, Held, Machine

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
    if era.single_driver:
        refused = _refused_by_single_driver(device, owners)
        if refused is not None:
            return refused
    elif era.singleton_check and count != 1:
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
    if era.single_driver:
        return Answer(
            OK,
            "proposed-single-driver",
            "no other device here is on a driver of the host",
            (PROPOSED_SINGLE_DRIVER,),
        )
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


def _refused_by_single_driver(device: Device, owners: GroupOwnership) -> Answer | None:
    """Apply the proposal with the device's own driver as the caller."""
    others = [d for d in owners.having(Role.KERNEL) if d is not device]
    rule, cite = "proposed-single-driver", (PROPOSED_SINGLE_DRIVER,)
    if others:
        return Answer("-EBUSY", rule, f"{words.bound(others)} as well", cite)
    unknown = [d for d in owners.having(Role.UNKNOWN) if d is not device]
    if unknown:
        return Answer(UNKNOWN, rule, words.cannot_tell(unknown), cite)
    return None
