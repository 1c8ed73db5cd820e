"""What a picture of a whole machine shows: owners, lost isolation, growth."""

from __future__ import annotations

from collections.abc import Mapping

from iommu_inspect.kernel.grouping.growth import Growing, Growth
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.grouping.telling.losses import Losses, losses
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.machine import Machine

__all__ = ["Picture", "picture_of"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A machine, and of each group by its id what is to be seen of it."""

    machine: Machine
    owners: Mapping[str, Ownership]
    losses: Mapping[str, Losses]
    growth: Mapping[str, Growth]


def picture_of(inquiry: Inquiry) -> Picture:
    """Ask of every group of a machine who owns it, why it is one, and how it grows."""
    machine = inquiry.machine
    grouping = Grouping(machine, inquiry.topology)
    growing, found = Growing(grouping), recompute(machine)
    return Picture(
        machine,
        {group.id: inquiry.ownership(group) for group in machine.groups},
        {group.id: losses(grouping, found, group) for group in machine.groups},
        {group.id: growing.growth(group) for group in machine.groups},
    )
