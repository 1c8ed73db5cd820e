"""Firmware 1:1 mappings (RMRR, IVMD, RMR) and what a kernel refuses for them.

Since v6.6 the IOMMU core refuses the claim, whatever the IOMMU. Before, only VT-d
refused, when a domain was attached: in ``VFIO_SET_IOMMU`` before v5.19 and since v6.2,
and in v5.19 to v6.1 already in the claim, because VT-d had no blocking domain of its
own and the core attached an ordinary one instead. ``iommu=pt`` changes none of this.
"""

from __future__ import annotations

import enum

from iommu_inspect.kernel.answers import UNKNOWN, Answer
from iommu_inspect.kernel.citations import (
    ATTACH_BLOCKING_DOMAIN,
    REQUIRE_DIRECT,
    VTD_BLOCKING_DOMAIN,
)
from iommu_inspect.kernel.eras import Era
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine

__all__ = [
    "DirectMapping",
    "direct_mapping",
    "has_vtd",
    "refused_attach",
    "refused_claim",
]

_RULE = "direct-mapping"


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
    if not known(regions):
        return DirectMapping.UNKNOWN
    if any(region.kind == "direct" for region in regions):
        return DirectMapping.PRESENT
    return DirectMapping.NONE


def has_vtd(machine: Machine) -> bool | None:
    """Say whether VT-d is the IOMMU; ``None`` where the source does not tell."""
    if not known(machine.iommus):
        return None
    return any(unit.name.startswith("dmar") for unit in machine.iommus)


def refused_claim(machine: Machine, group: Group, era: Era) -> Answer | None:
    """Return why the claim of a group is refused, ``None`` where it is not."""
    mapping = direct_mapping(group)
    if mapping is DirectMapping.NONE:
        return None
    if era.require_direct:
        if mapping is DirectMapping.UNKNOWN:
            return _untold_regions(group)
        return Answer(
            "-EINVAL",
            _RULE,
            f"firmware insists on a 1:1 mapping in group {group.id}",
            (REQUIRE_DIRECT,),
        )
    if era.device_claim:
        # The claim wants a blocking domain, and VT-d has one (VTD_BLOCKING_DOMAIN).
        return None
    return _refused_by_vtd(machine, group, mapping)


def refused_attach(machine: Machine, group: Group, era: Era) -> Answer | None:
    """Return why a paging domain is refused, ``None`` where it is not."""
    mapping = direct_mapping(group)
    if era.require_direct or mapping is DirectMapping.NONE:
        return None
    return _refused_by_vtd(machine, group, mapping)


def _refused_by_vtd(
    machine: Machine, group: Group, mapping: DirectMapping
) -> Answer | None:
    vtd = has_vtd(machine)
    if vtd is False:
        return None
    if vtd is None:
        return Answer(UNKNOWN, _RULE, "the source does not tell which IOMMU this is")
    if mapping is DirectMapping.UNKNOWN:
        return _untold_regions(group)
    return Answer(
        "-EPERM",
        _RULE,
        f"VT-d refuses group {group.id}, which has an RMRR that firmware insists on",
        (ATTACH_BLOCKING_DOMAIN, VTD_BLOCKING_DOMAIN, REQUIRE_DIRECT),
    )


def _untold_regions(group: Group) -> Answer:
    return Answer(
        UNKNOWN,
        _RULE,
        f"the source does not tell the reserved regions of group {group.id}",
        (REQUIRE_DIRECT,),
    )
