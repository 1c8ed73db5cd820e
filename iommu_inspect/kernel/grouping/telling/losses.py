"""Where a group loses isolation: each place once, for a picture of all groups."""

from __future__ import annotations

from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.recompute import Recomputed
from iommu_inspect.kernel.grouping.telling.sharing import pair
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId

__all__ = ["Loss", "Losses", "losses"]


@dataclass(frozen=True, slots=True)
class Loss:
    """A device at which isolation is lost, and why that joins the first two."""

    at: Device
    evidence: str


@dataclass(frozen=True, slots=True)
class Losses:
    """What makes a group one of several; ``untold`` are members of unknown reason."""

    places: tuple[Loss, ...] = ()
    untold: tuple[Device, ...] = ()


def losses(grouping: Grouping, found: Recomputed, group: Group) -> Losses:
    """Say where a group loses isolation, as ``pair()`` does of two of its devices.

    Each member is held against one, an endpoint if there is any: of a group of
    hundreds, all pairs would be too many, and name the same places.
    """
    if len(group.devices) < 2:
        return Losses()
    ends = (d for d in group.devices if d.is_bridge is not True)
    one = next(ends, group.devices[0])
    places: dict[DeviceId, Loss] = {}
    untold = []
    for other in group.devices:
        if other is one:
            continue
        told = pair(grouping, found, one, other)
        if told.at is not None:
            places.setdefault(told.at.id, Loss(told.at, told.evidence))
        elif told.mechanism in (None, "unknown"):
            untold.append(other)
    return Losses(tuple(places[name] for name in sorted(places)), tuple(untold))
