"""A device that is alone in its group only for now."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import DMA_OWNER_BUSES, SINGLETON
from iommu_inspect.kernel.grouping.growth import Growing, Growth
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.ownership.attach_users import attach_user
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE

ABOUT = About(
    id="singleton-can-grow",
    summary="a group of one that a new device would join",
    severity=Severity.INFO,
    references=(SINGLETON, DMA_OWNER_BUSES),
    purposes=EVERY_PURPOSE,
)
_MOST_WAYS = 3


def _check(case: Case) -> Iterator[Finding]:
    singletons = [group for group in case.groups if _matters(case, group)]
    if not singletons:
        return
    growing = Growing(Grouping(case.machine))
    for group in singletons:
        grows = growing.growth(group)
        if grows.can_grow is not False:
            yield _judge(case, group, grows)


def _matters(case: Case, group: Group) -> bool:
    """Say whether somebody relies on a device that is alone in its group."""
    if len(group.devices) != 1 or not group.whole or group.is_noiommu is not False:
        return False
    return (
        case.handed_over(group)
        or attach_user(group.devices[0], case.machine) is not None
    )


def _judge(case: Case, group: Group, grows: Growth) -> Finding:
    device = group.devices[0]
    certain = grows.can_grow is True
    harmed = certain and attach_user(device, case.machine) is not None
    return case.finding(
        group,
        f"{_ways(group, device, grows)} {_consequences(case)}",
        "Add nothing there while the device is in use. A group that cannot grow "
        "needs a port that isolates it (iommu-inspect why shows the path); the "
        "kernel itself has no such thing as a group that stays as it is.",
        severity=Severity.WARNING if harmed else Severity.INFO,
        certainty=Certainty.DERIVED if certain else Certainty.UNKNOWN,
    )


def _ways(group: Group, device: Device, grows: Growth) -> str:
    name = shown(device.address)
    if grows.can_grow is None:
        first = grows.untold[0]
        return (
            f"{name} is alone in group {group.id}, and whether that can change cannot "
            f"be told: {shown(first.address)}: {first.how}. If it does:"
        )
    ways = [f"{shown(way.address)} ({way.how})" for way in grows.through]
    more = len(ways) - _MOST_WAYS
    ways = [*ways[:_MOST_WAYS], f"{more} more"] if more > 0 else ways
    return (
        f"{name} is alone in group {group.id} only for now. A device joins it "
        f"through {listed(ways)}:"
    )


def _consequences(case: Case) -> str:
    eras = case.semantics.eras
    parts = []
    if all(era.dma_owner for era in eras):
        parts.append(
            "a group that is claimed takes the newcomer in, and no driver of the host "
            "binds to it; one that is not can no longer be claimed once such a driver "
            "has bound (-EPERM)"
        )
    elif not any(era.dma_owner for era in eras):
        parts.append(
            "a driver of the host that binds to the newcomer makes the group not "
            "viable, and kills the host if the group is in use (before v5.19)"
        )
    else:
        parts.append("a driver of the host that binds to the newcomer is in the way")
    if all(era.singleton_check for era in eras):
        parts.append(
            "iommu_attach_device() returns -EINVAL, and iommu_detach_device() warns "
            "and leaves the domain attached"
        )
    return "; ".join(parts) + "."


RULE = Rule(ABOUT, check_machine=_check)
