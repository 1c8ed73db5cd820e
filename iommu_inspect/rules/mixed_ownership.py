"""A kernel driver and user space cannot share a group."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import (
    CLAIM_BY_VFIO,
    DMA_OWNER_BUSES,
    VFIO_VIABLE_REMOVED,
)
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import shown
from iommu_inspect.model.uses.losses import is_fatal
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import Purpose

ABOUT = About(
    id="mixed-ownership",
    summary="a driver of the host holds a device of a group that user space is to have",
    severity=Severity.ERROR,
    references=(DMA_OWNER_BUSES,),
)


def _check(case: Case, group: Group) -> Iterator[Finding]:
    if not group.whole:
        yield case.finding(
            group,
            f"The source does not show all members of group {group.id}, or says two "
            "things about them: what it does not show may keep user space out.",
            "Look at the group on the host itself.",
            certainty=Certainty.UNKNOWN,
            cures=[Look(Looking.MEMBERS, group.id)],
            step=f"find out who is in group {group.id}",
        )
    if not case.handed_over(group):
        if _may_be_mixed(case, group):
            for device in _perhaps_on_vfio(group):
                yield _cannot_tell(case, group, device)
        return
    # Of a group that nothing of is on vfio yet, not-on-vfio says what to move.
    whole = not case.having(group, Role.VFIO) and not case.targets_in(group)
    for device in () if whole else case.having(group, Role.KERNEL):
        if device.is_bridge is not True and not case.is_target(device):
            yield _blocked(case, group, device)
    for device in case.having(group, Role.UNKNOWN):
        if device.is_bridge is not True or not known(device.driver):
            yield _cannot_tell(case, group, device)


def _may_be_mixed(case: Case, group: Group) -> bool:
    """Say whether members whose driver is not told could make the group mixed."""
    untold = len(_perhaps_on_vfio(group))
    return untold > 1 or bool(untold and case.having(group, Role.KERNEL))


def _perhaps_on_vfio(group: Group) -> tuple[Device, ...]:
    return tuple(
        d
        for d in group.devices
        if has_vfio_driver(d) is None and d.is_bridge is not True
    )


def _blocked(case: Case, group: Group, device: Device) -> Finding:
    message = (
        f"{shown(device.address)} is {bound_to(device)}, a driver of the host, so the "
        f"kernel refuses group {group.id} to user space: "
    )
    if case.may_crash:
        message += (
            "VFIO_GROUP_GET_STATUS says not viable. A kernel before v5.19 may crash "
            "the host when a driver of the host binds while user space has the group."
        )
    else:
        message += "VFIO_GROUP_SET_CONTAINER returns -EPERM."
    if case.purpose is Purpose.DPDK:
        message += (
            ' DPDK says "VFIO group is not viable! Not all devices in IOMMU group '
            'bound to VFIO or unbound".'
        )
    return case.finding(
        device,
        message,
        "The group goes to user space as a whole: this device has to leave its driver, "
        "or another slot has to part them.",
        others=case.neighbours(device),
        references=(VFIO_VIABLE_REMOVED, DMA_OWNER_BUSES)
        if case.may_crash
        else (DMA_OWNER_BUSES, CLAIM_BY_VFIO),
        final=is_fatal(case.machine, device),
    )


def _cannot_tell(case: Case, group: Group, device: Device) -> Finding:
    name = shown(device.address)
    return case.finding(
        device,
        f"{name} is {bound_to(device)}, and whether that keeps user space out of group "
        f"{group.id} cannot be told.",
        "Look at the driver on the host itself.",
        others=case.neighbours(device),
        certainty=Certainty.UNKNOWN,
        step=f"find out which driver {name} has",
        cures=[Look(Looking.DRIVER, device.id)],
    )


RULE = Rule(ABOUT, check_group=_check)
