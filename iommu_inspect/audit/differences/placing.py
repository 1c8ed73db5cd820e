"""What both sources show, in its groups, and what the other one would have shown."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.audit.differences.matching import Matching
from iommu_inspect.audit.differences.regrouping import Placed, group_of
from iommu_inspect.audit.differences.sight import would_show
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine

__all__ = ["parted", "place"]


def parted(
    devices: Iterable[Device], its: Machine, other: Machine
) -> tuple[tuple[Device, ...], tuple[Device, ...]]:
    """Part what only one source has into what the other would show, and the rest."""
    shows = would_show(other)
    shown: list[Device] = []
    hidden: list[Device] = []
    for device in devices:
        has_group = its.group_of(device) is not None
        (shown if shows(has_group) else hidden).append(device)
    return tuple(shown), tuple(hidden)


def place(
    matching: Matching, before: Machine, after: Machine
) -> tuple[list[Placed], list[Placed]]:
    """Return the pairs with their groups, and those of which one group is not told."""
    placed, unplaced = [], []
    for pair in matching.pairs:
        old, new = group_of(before, pair.before), group_of(after, pair.after)
        if known(old) and known(new):
            placed.append(Placed(pair, old, new))
        else:
            unplaced.append(
                Placed(pair, old if known(old) else None, new if known(new) else None)
            )
    return placed, unplaced
