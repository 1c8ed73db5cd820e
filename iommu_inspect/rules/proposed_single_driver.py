"""What the rule proposed in 2021 would change for a group."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.answers import OK, UNKNOWN
from iommu_inspect.kernel.citations import PROPOSED_SINGLE_DRIVER, SINGLETON
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE

ABOUT = About(
    id="proposed-single-driver",
    summary="what the never merged single-driver rule would change",
    severity=Severity.INFO,
    references=(SINGLETON, PROPOSED_SINGLE_DRIVER),
    purposes=EVERY_PURPOSE,
)


def _check(case: Case, group: Group) -> Iterator[Finding]:
    if len(group.devices) < 2 or group.is_noiommu is not False:
        return
    results = {
        device.address: case.proposal.attach(device).result for device in group.devices
    }
    if UNKNOWN in results.values():
        return
    bound = [
        d for d in group.devices if d.driver is not None and results[d.address] == OK
    ]
    users = [d for d in bound if d.is_bridge is not True]
    yield case.finding(
        group,
        _message(group, users),
        "Nothing to do: no kernel has this rule.",
        certainty=Certainty.DERIVED,
    )


def _message(group: Group, users: list[Device]) -> str:
    proposal = (
        "The rule proposed in 2021 (a single driver bound, instead of a single device) "
    )
    if users:
        return (
            f"{proposal}would let iommu_attach_device() succeed in group {group.id} "
            f"for {addresses(users)}, where kernels return -EINVAL."
        )
    return f"{proposal}would change nothing for the drivers bound in group {group.id}."


RULE = Rule(ABOUT, check_group=_check)
