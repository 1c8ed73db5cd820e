"""Firmware 1:1 mappings (RMRR, IVMD) as a group's reserved regions show them."""

from __future__ import annotations

import enum

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Group

__all__ = ["DirectMapping", "direct_mapping"]


class DirectMapping(enum.Enum):
    """Whether firmware insists on a 1:1 mapping for a member of a group."""

    NONE = "none"
    PRESENT = "present"
    UNKNOWN = "unknown"


def direct_mapping(group: Group) -> DirectMapping:
    """Look for regions of the type ``direct``.

    ``direct-relaxable`` (v5.3) may be dropped once a driver took the device over,
    so it does not count; an older kernel shows such a region as ``direct``.
    """
    regions = group.reserved_regions
    if isinstance(regions, Missing):
        return DirectMapping.UNKNOWN
    if any(region.kind == "direct" for region in regions):
        return DirectMapping.PRESENT
    return DirectMapping.NONE
