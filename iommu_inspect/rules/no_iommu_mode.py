"""Groups that vfio made up: they look like isolation and are none."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.group import Group
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.base import About, Case, Finding, Rule, Severity
from iommu_inspect.rules.finding import Purpose

ABOUT = About(
    id="no-iommu-mode",
    summary="a no-IOMMU group poses as isolation",
    severity=Severity.ERROR,
)
_TURN_OFF = "echo N > /sys/module/vfio/parameters/enable_unsafe_noiommu_mode"


def _check_group(case: Case, group: Group) -> Iterator[Finding]:
    if group.is_noiommu is not True:
        return
    if case.purpose is Purpose.DPDK and case.targets and not case.handed_over(group):
        return  # what is asked for is not to be on vfio: not-on-vfio says so
    allowed = case.machine.vfio.enable_unsafe_noiommu_mode is True
    if case.purpose is Purpose.DPDK and allowed:
        # DPDK has a use for the mode; what it gives up has to be said all the same.
        yield case.finding(
            group,
            f"{_named(group)}. DPDK can use it, with CAP_SYS_RAWIO; nothing isolates "
            "the device, and whoever programs it can read and write all memory.",
            "Nothing to do where the program is trusted with the whole machine; else "
            "turn the IOMMU on.",
            severity=Severity.WARNING,
        )
        return
    yield case.finding(
        group,
        f"{_named(group)}: nothing isolates the device, it can read and write all "
        "memory, and VFIO_SET_IOMMU refuses every type but VFIO_NOIOMMU_IOMMU.",
        f"Turn the IOMMU on and enable_unsafe_noiommu_mode off:\n{_TURN_OFF}",
        step="turn the IOMMU on",
    )


def _named(group: Group) -> str:
    members = addresses(group.devices)
    return f"Group {group.id} ({members}) is one of vfio's no-IOMMU groups"


def _check_machine(case: Case) -> Iterator[Finding]:
    if case.machine.vfio.enable_unsafe_noiommu_mode is not True:
        return
    yield case.finding(
        None,
        "vfio's no-IOMMU mode is allowed: a device that no IOMMU covers can be "
        "handed to user space without any isolation, in a group that vfio makes up.",
        f"Turn it off, unless that is wanted:\n{_TURN_OFF}",
        severity=Severity.WARNING,
    )


RULE = Rule(ABOUT, check_machine=_check_machine, check_group=_check_group)
