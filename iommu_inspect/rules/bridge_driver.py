"""A bridge on pcieport never blocks its group; on another driver it does."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import PCIEPORT_MANAGED, VFIO_VIABLE_REMOVED
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="bridge-driver",
    summary="a bridge is bound to a driver other than pcieport",
    severity=Severity.ERROR,
    references=(PCIEPORT_MANAGED, VFIO_VIABLE_REMOVED),
)


def _check(case: Case, group: Group) -> Iterator[Finding]:
    if not case.handed_over(group):
        return
    for device in case.having(group, Role.KERNEL, Role.UNKNOWN):
        told = known(device.driver)
        if device.is_bridge is True and told and not case.is_target(device):
            yield _judge(case, group, device)


def _judge(case: Case, group: Group, device: Device) -> Finding:
    certain = case.role(device) is Role.KERNEL
    message = (
        f"The bridge {device.address} is {bound_to(device)}, which does not leave DMA "
        f"to others as pcieport does. Since v5.19 that keeps user space out of group "
        f"{group.id}; before, a bridge never did."
    )
    if not certain:
        message += (
            f" Which of the two holds here cannot be told: {case.semantics.basis}."
        )
    return case.finding(
        device,
        message,
        "It has to leave its driver, and never goes to vfio-pci. It goes on "
        "forwarding; only what the driver did (hot-plug, for shpchp) is gone.",
        others=case.neighbours(device),
        certainty=Certainty.KERNEL if certain else Certainty.UNKNOWN,
        step="" if certain else "find out which rules the kernel has",
    )


RULE = Rule(ABOUT, check_group=_check)
