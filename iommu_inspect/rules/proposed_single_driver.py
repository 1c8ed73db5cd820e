"""What the rule proposed in 2021 would change for a group."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.answers import OK, UNKNOWN
from iommu_inspect.kernel.citations import (
    PROPOSED_SINGLE_DRIVER,
    SINGLETON,
    SKETCHED_SINGLE_DRIVER,
)
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.rules._words import addresses, verb
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE

ABOUT = About(
    id="proposed-single-driver",
    summary="what the never merged single-driver rule would change",
    severity=Severity.INFO,
    references=(SINGLETON, SKETCHED_SINGLE_DRIVER, PROPOSED_SINGLE_DRIVER),
    purposes=EVERY_PURPOSE,
)


def _check(case: Case, group: Group) -> Iterator[Finding]:
    if len(group.devices) < 2 or group.is_noiommu is not False:
        return
    sketched = {d.id: case.sketched.attach(d).result for d in group.devices}
    posted = {d.id: case.posted.attach(d).result for d in group.devices}
    if UNKNOWN in {*sketched.values(), *posted.values()}:
        return
    users = [
        d for d in group.devices if d.driver is not None and d.is_bridge is not True
    ]
    yield case.finding(
        group,
        _message(
            group,
            [d for d in users if sketched[d.id] == OK and case.role(d) is Role.KERNEL],
            [d for d in users if posted[d.id] == OK],
        ),
        "Nothing to do: no kernel has this rule.",
        certainty=Certainty.DERIVED,
    )


def _message(group: Group, sketched: list[Device], posted: list[Device]) -> str:
    """Name whose driver could attach, by the sketch and by what was posted then."""
    rule = "The rule proposed in 2021, a single driver in place of a single device,"
    if not sketched and not posted:
        return f"{rule} would change nothing for the drivers bound in group {group.id}."
    ways = []
    if sketched:
        ways.append(
            f"as it was sketched, for {addresses(sketched)} (as it was posted, "
            f"{verb(sketched, 'its driver has', 'their drivers have')} to give up the "
            "DMA API first)"
        )
    if posted:
        ways.append(f"as it was posted, for {addresses(posted)}")
    return (
        f"{rule} would let iommu_attach_device() succeed in group {group.id}, where "
        f"kernels return -EINVAL: {'; '.join(ways)}."
    )


RULE = Rule(ABOUT, check_group=_check)
