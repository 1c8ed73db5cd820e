"""A kernel driver and user space cannot share a group."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import (
    CLAIM_BY_VFIO,
    DMA_OWNER_BUSES,
    VFIO_VIABLE_REMOVED,
)
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.host_losses import is_fatal
from iommu_inspect.model.machine import Device, Group
from iommu_inspect.model.text import quoted, shown
from iommu_inspect.rules._words import bound_to, leave_to_the_host, move_to_vfio, unbind
from iommu_inspect.rules.about import About, Purpose
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["RULE"]

ID = "mixed-ownership"


def _check(case: Case, group: Group) -> Iterator[Finding]:
    if not group.whole:
        yield _not_whole(group)
    if not case.handed_over(group):
        if _may_be_mixed(case, group):
            for device in _perhaps_on_vfio(group):
                yield _cannot_tell(group, device)
        return
    # Of a group that nothing of is on vfio yet, not-on-vfio says what to move.
    whole = not case.having(group, Role.VFIO) and not case.targets_in(group)
    for device in () if whole else case.having(group, Role.KERNEL):
        if device.is_bridge is not True and not case.is_target(device):
            yield _blocked(case, group, device)
    for device in case.having(group, Role.UNKNOWN):
        if device.is_bridge is not True or not known(device.driver):
            yield _cannot_tell(group, device)


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


def _not_whole(group: Group) -> Finding:
    return Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.UNKNOWN,
        group=group.id,
        devices=tuple(d.address for d in group.devices),
        message=(
            f"The source does not show all members of group {group.id}, or says two "
            "things about them: what it does not show may keep user space out."
        ),
        remedy=(
            "Look at the group on the host itself:\n"
            f"ls -l /sys/kernel/iommu_groups/{quoted(group.id)}/devices"
        ),
        references=(str(DMA_OWNER_BUSES),),
        step=f"find out who is in group {group.id}",
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
    # No commands to copy for a device that the host lives on.
    stays = is_fatal(case.machine, device)
    return Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.KERNEL,
        group=group.id,
        devices=(device.address, *_others(group, device)),
        message=message,
        remedy="See host-loss first." if stays else _remedy(device),
        references=_references(case),
        step=leave_to_the_host(device)
        if stays
        else f"take {shown(device.address)} off its driver",
        final=stays,
    )


def _remedy(device: Device) -> str:
    if not device.is_pci:
        return (
            f"Take {shown(device.address)} off its driver, if the host can do without "
            f"it:\n{unbind(device)}"
        )
    return (
        f"Take {shown(device.address)} off its driver, if the host can do without "
        f"it:\n{unbind(device)}\n"
        "Or hand it over as well:\n"
        f"{move_to_vfio(device)}"
    )


def _cannot_tell(group: Group, device: Device) -> Finding:
    return Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.UNKNOWN,
        group=group.id,
        devices=(device.address, *_others(group, device)),
        message=(
            f"{shown(device.address)} is {bound_to(device)}, and whether that keeps "
            f"user space out of group {group.id} cannot be told."
        ),
        remedy=(
            "Look at the driver on the host itself:\n"
            f"readlink {quoted(_driver_link(device))}"
        ),
        references=(str(DMA_OWNER_BUSES),),
        step=f"find out which driver {shown(device.address)} has",
    )


def _driver_link(device: Device) -> str:
    bus = device.bus if known(device.bus) else "pci"
    return f"/sys/bus/{bus}/devices/{device.address}/driver"


def _others(group: Group, device: Device) -> tuple[str, ...]:
    return tuple(d.address for d in group.devices if d is not device)


def _references(case: Case) -> tuple[str, ...]:
    if case.may_crash:
        return (str(VFIO_VIABLE_REMOVED), str(DMA_OWNER_BUSES))
    return (str(DMA_OWNER_BUSES), str(CLAIM_BY_VFIO))


RULE = Rule(
    About(
        id=ID,
        summary="a driver of the host holds a device of a group that user space is to "
        "have",
        severity=Severity.ERROR,
    ),
    check_group=_check,
)
