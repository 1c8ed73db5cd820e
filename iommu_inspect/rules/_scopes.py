"""What goes to user space together: whole groups, and devices without one."""

from __future__ import annotations

from dataclasses import dataclass

from iommu_inspect.model.machine import Device
from iommu_inspect.rules.case import Case

__all__ = ["Scope", "scopes"]


@dataclass(frozen=True, slots=True)
class Scope:
    """The members of a group that is handed over, or one device without a group."""

    group: str | None
    devices: tuple[Device, ...]


def scopes(case: Case) -> tuple[Scope, ...]:
    """Return what is asked for; without targets, the groups that vfio has part of."""
    groups = [
        Scope(group.id, group.devices)
        for group in case.groups
        if case.handed_over(group)
    ]
    alone = [
        Scope(None, (target.device,))
        for target in case.targets
        if target.group is None and target.device is not None
    ]
    return (*groups, *alone)
