"""The groups that isolation would give, to hold against those that the kernel made.

Groups form when devices are added and are never made again; where the two differ, the
kernel's are the truth and the difference is worth a question.
"""

from __future__ import annotations

from dataclasses import field
from itertools import chain, islice

from iommu_inspect.kernel.grouping.acs.unseen import Doubt
from iommu_inspect.kernel.grouping.making.joining import Grouping, Placement
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine

__all__ = ["Agreement", "Recomputed", "enumeration", "recompute"]

_MOST_DOUBTS = 32


@dataclass(frozen=True, slots=True)
class Agreement:
    """Whether a recomputed group is the kernel's; ``None`` where it cannot be told."""

    agrees: bool | None
    because: str


@dataclass(frozen=True)
class Recomputed:
    """Every grouped PCI function's placement, and the label of the group it comes to.

    Functions with the same label share a group; a label of ``None`` says that the
    source does not tell enough, and ``doubts`` what was not seen, the first ones of it.
    """

    placements: dict[str, Placement]
    labels: dict[str, int | None]
    doubts: dict[str, tuple[Doubt, ...]] = field(default_factory=dict)

    def agreement(self, group: Group) -> Agreement:
        """Hold one of the kernel's groups against the recomputed ones."""
        functions = {device.address for device in group.devices if device.is_pci}
        if len(functions) != len(group.devices):
            return Agreement(None, "not all of its devices are PCI functions")
        labels = {self.labels.get(address) for address in functions}
        if None in labels:
            first = next(a for a in sorted(functions) if self.labels.get(a) is None)
            placement = self.placements.get(first)
            why = placement.because if placement else f"{first} was not looked at"
            return Agreement(None, why)
        same = {a for a, label in self.labels.items() if label in labels}
        if len(labels) == 1 and same == functions:
            return Agreement(True, "isolation gives the same group")
        if len(labels) > 1:
            return Agreement(False, f"isolation gives {len(labels)} groups instead")
        more = ", ".join(sorted(same - functions))
        return Agreement(False, f"isolation would put {more} in it as well")


def recompute(machine: Machine) -> Recomputed:
    """Place every PCI function that has a group, in the order of enumeration."""
    grouping = Grouping(machine)
    placements: dict[str, Placement] = {}
    labels: dict[str, int | None] = {}
    doubts: dict[str, tuple[Doubt, ...]] = {}
    for device in enumeration(grouping):
        if machine.group_of(device) is None:
            continue
        found = grouping.possible(device, lambda other: other.address in labels)
        placement = found.placement
        joined = {labels[p.joins.address] if p.joins else -1 for p in found.placements}
        label = joined.pop() if len(joined) == 1 else None
        if label is not None:
            placement = found.placements[0]
        placements[device.address] = placement
        labels[device.address] = len(labels) if label == -1 else label
        if label is None:
            theirs = [
                doubts.get(p.joins.address, ()) for p in found.placements if p.joins
            ]
            every = chain(found.doubts, *theirs)
            doubts[device.address] = tuple(islice(dict.fromkeys(every), _MOST_DOUBTS))
    return Recomputed(placements, labels, doubts)


def enumeration(grouping: Grouping) -> list[Device]:
    """Return PCI functions as they are found: a bus, then what is below it.

    Virtual functions come when a driver makes them, and what is behind a VMD when its
    driver finds it: last.
    """
    found: list[Device] = []
    functions = [device for device, _ in grouping.topology.addressed]
    ranks = {device.id: rank for rank, device in enumerate(functions)}
    roots = [d for d in functions if grouping.topology.parent(d) is None]

    def walk(bus: list[Device]) -> None:
        found.extend(bus)
        for device in bus:
            below = [d for d in grouping.topology.children(device) if d.id in ranks]
            if below:
                walk(sorted(below, key=lambda child: ranks[child.id]))

    walk(roots)
    return sorted(found, key=lambda d: d.pci.is_virtual or d.is_below_vmd)
