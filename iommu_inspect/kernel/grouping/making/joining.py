"""Which group a device joins when it appears, on a machine that has its groups.

The kernel's grouping stays the truth: this explains it, and predicts newcomers.
``None`` stands for "cannot be told".
"""

from __future__ import annotations

from functools import cached_property

from iommu_inspect.kernel.grouping.acs.isolation import Isolation, nowhere, same_slot
from iommu_inspect.kernel.grouping.acs.unseen import Doubt, Unseen
from iommu_inspect.kernel.grouping.making.placing import (
    HasGroup,
    Mechanism,
    Placement,
    Possible,
    possible,
)
from iommu_inspect.kernel.grouping.making.platforms import Otherwise, grouped_otherwise
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group

__all__ = [
    "Grouping",
    "Joins",
    "Mechanism",
    "Placement",
    "same_slot",
]


@dataclass(frozen=True, slots=True)
class Joins:
    """The answer for a newcomer.

    ``group`` is the group that it joins; without one, it gets a ``new`` group of its
    own, or (``new`` is ``None``) the source does not tell. ``because`` says why.
    """

    group: Group | None
    new: bool | None
    because: str


class Grouping(Isolation):
    """Answers for one machine."""

    @cached_property
    def otherwise(self) -> Otherwise | None:
        """How functions are grouped on processors that do not group as others do."""
        return grouped_otherwise(self.machine)

    def newcomer(self, bridges: list[Device]) -> Joins:
        """Say which group a newcomer with one function joins.

        Args:
            bridges: The bridges above it, the nearest first; none on a root bus.
        """
        machine = self.machine
        if not machine.groups_known:
            return Joins(None, None, "the source does not show IOMMU groups")
        if not machine.groups:
            return Joins(None, False, "no IOMMU is at work")
        otherwise = self.otherwise
        if otherwise is not None:
            return Joins(None, True if otherwise.alone else None, otherwise.because)
        for bridge in bridges:
            if machine.group_of(bridge) is None and not known(bridge.group):
                untold = f"the source does not tell the group of {bridge.address}"
                return Joins(None, None, untold)
        if bridges and not bridges[-1].is_placed:
            return Joins(None, None, nowhere(bridges[-1]))
        found = possible(self, bridges, lambda d: machine.group_of(d) is not None)
        placed = self._within_one_group(found)
        if placed.mechanism is Mechanism.UNKNOWN:
            return Joins(None, None, placed.because)
        if placed.joins is None:
            return Joins(None, True, placed.because)
        return Joins(machine.group_of(placed.joins), False, placed.because)

    def newcomer_beside(self, device: Device) -> Joins:
        """Say which group a newcomer on the bus of a device joins."""
        if not device.is_placed:
            return Joins(None, None, nowhere(device))
        return self.newcomer(self.topology.upwards(device))

    def _within_one_group(self, found: Possible) -> Placement:
        """Take the first of several placements that all lead into one group."""
        groups = {
            placed.joins and (self.machine.group_of(placed.joins) or placed.joins)
            for placed in found.placements
        }
        return found.placements[0] if len(groups) == 1 else found.placement

    def place(self, device: Device, has_group: HasGroup) -> Placement:
        """Say whose group a device joins when some others have theirs already."""
        return self.possible(device, has_group).placement

    def possible(self, device: Device, has_group: HasGroup) -> Possible:
        """Say whose group a device may join, and what was not seen that decides.

        There is no placement where nothing tells what is above it.
        """
        if device.pci_address is None:
            because = "it is no PCI function"
        elif self.otherwise is not None:
            because = self.otherwise.because
            if self.otherwise.alone:
                alone = Possible()
                alone.add(Placement(None, Mechanism.ALONE, None, because))
                return alone
            return Possible(doubts=[Doubt(device, Unseen.REACH, because)])
        elif device.is_below_vmd:
            because = "which device translates for it is not seen"
        elif not device.is_placed:
            because = nowhere(device)
        else:
            above = self.topology.upwards(device)
            return possible(self, above, has_group, device)
        return Possible(doubts=[Doubt(device, Unseen.PLACE, because)])
