"""Firmware insists on a 1:1 mapping, so the kernel keeps the device."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import REQUIRE_DIRECT
from iommu_inspect.kernel.ownership.mappings import (
    DirectMapping,
    direct_mapping,
    has_vtd,
)
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="direct-mapping",
    summary="firmware insists on a 1:1 mapping for a device",
    severity=Severity.ERROR,
    references=(REQUIRE_DIRECT,),
)


def _check(case: Case, group: Group) -> Iterator[Finding]:
    mapping = direct_mapping(group)
    handed_over = case.handed_over(group)
    if mapping is DirectMapping.NONE or group.is_noiommu is True:
        return
    if mapping is DirectMapping.UNKNOWN:
        if handed_over:
            yield case.finding(
                group,
                f"The source does not tell the reserved regions of group {group.id}, "
                "so a 1:1 mapping that firmware insists on cannot be ruled out.",
                "Look at the regions of the group on the host itself.",
                certainty=Certainty.UNKNOWN,
                cures=[Look(Looking.RESERVED_REGIONS, group.id)],
                step=f"find out the reserved regions of group {group.id}",
            )
        return
    refused, certainty = _refused(case)
    yield case.finding(
        group,
        f"Firmware insists on a 1:1 mapping ({_regions(group)}) for group "
        f"{group.id} ({addresses(group.devices)}), {_consequence(case)}.",
        "Look for what makes the firmware share the memory: USB legacy support, "
        "pre-boot DMA protection, or the management processor's shared memory "
        "(HPE has a tool for it).",
        severity=None if handed_over and refused else Severity.INFO,
        certainty=certainty,
        step=f"leave {addresses(group.devices)} to the host",
        final=refused,
    )


def _consequence(case: Case) -> str:
    """Say what this kernel returns, or what kernels do where it is not known."""
    since_6_6 = [era.require_direct for era in case.semantics.eras]
    if all(since_6_6):
        return "so the kernel refuses it to user space: the claim returns -EINVAL"
    if any(since_6_6) or has_vtd(case.machine) is None:
        return (
            "which keeps it from user space since v6.6 (-EINVAL), and with VT-d on "
            "every kernel (-EPERM)"
        )
    if has_vtd(case.machine):
        return "so VT-d refuses it to user space: -EPERM"
    return (
        "which this kernel does not mind; what the firmware does there may fail once "
        "user space has the device"
    )


def _refused(case: Case) -> tuple[bool, Certainty]:
    """Say whether the claim or VT-d refuses, and how sure that is."""
    if all(era.require_direct for era in case.semantics.eras):
        return True, Certainty.KERNEL
    vtd = has_vtd(case.machine)
    if vtd is None:
        return True, Certainty.UNKNOWN
    if vtd:
        return True, Certainty.KERNEL
    if any(era.require_direct for era in case.semantics.eras):
        return True, Certainty.UNKNOWN
    return False, Certainty.KERNEL


def _regions(group: Group) -> str:
    regions = group.reserved_regions
    if not known(regions):
        return ""
    direct = [region for region in regions if region.kind == "direct"]
    return ", ".join(f"{region.start:#x} to {region.end:#x}" for region in direct)


RULE = Rule(ABOUT, check_group=_check)
