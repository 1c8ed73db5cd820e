"""Groups that vfio made up: they look like isolation and are none."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.fact import unread
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import shown
from iommu_inspect.rules._cures import SetParameter
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import Purpose

ABOUT = About(
    id="no-iommu-mode",
    summary="a no-IOMMU group poses as isolation",
    severity=Severity.ERROR,
)
_MODE = "enable_unsafe_noiommu_mode"
_TURN_OFF = SetParameter("vfio", _MODE, on=False)


def _check_group(case: Case, group: Group) -> Iterator[Finding]:
    if unread(group.is_noiommu):
        yield _untold(case, group)
    if group.is_noiommu is not True:
        return
    if case.purpose is Purpose.DPDK and case.targets and not case.handed_over(group):
        return  # what is asked for is not to be on vfio: not-on-vfio says so
    mode = case.machine.vfio.enable_unsafe_noiommu_mode
    allowed, untold = mode is True, case.purpose is Purpose.DPDK and unread(mode)
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
        f"Turn the IOMMU on, and {_MODE} of vfio off.",
        certainty=Certainty.UNKNOWN if untold else Certainty.KERNEL,
        step="turn the IOMMU on",
        cures=[_TURN_OFF],
    )


def _untold(case: Case, group: Group) -> Finding:
    name = shown(group.id)
    return case.finding(
        group,
        f"The name of group {name} could not be read, which tells whether vfio made "
        "it up in its no-IOMMU mode: nothing would isolate the device then.",
        f"Look at /sys/kernel/iommu_groups/{name}/name: that of a real group seldom "
        "holds anything.",
        certainty=Certainty.UNKNOWN,
        step=f"find out whether group {name} is one of vfio's own",
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
        f"Turn it off ({_MODE} of vfio), unless that is wanted.",
        severity=Severity.WARNING,
        cures=[_TURN_OFF],
    )


RULE = Rule(ABOUT, check_machine=_check_machine, check_group=_check_group)
