"""A group goes to one owner as a whole, whatever part of it is used."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import CLAIM_BY_VFIO
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.model.group import Group
from iommu_inspect.rules._words import addresses, verb
from iommu_inspect.rules.base import About, Case, Finding, Rule, Severity

ABOUT = About(
    id="partial-group",
    summary="only a part of a group is handed over",
    severity=Severity.WARNING,
    references=(CLAIM_BY_VFIO,),
)


def _check(case: Case, group: Group) -> Iterator[Finding]:
    on_vfio = case.having(group, Role.VFIO)
    if not on_vfio:
        return
    asked = case.targets_in(group)
    forgotten = [d for d in on_vfio if asked and d not in asked]
    if forgotten:
        yield case.finding(
            asked[0],
            f"{addresses(forgotten)} in group {group.id} "
            f"{verb(forgotten, 'is', 'are')} on a vfio driver too and cannot go to "
            f"another guest than {addresses(asked)}: the group has one owner.",
            "Give all of them to the same guest, or none of the others to any.",
            others=(*asked, *forgotten),
        )
    idle = [d for d in case.having(group, Role.NONE) if d.is_bridge is not True]
    if idle:
        yield case.finding(
            on_vfio[0],
            f"{addresses(idle)} in group {group.id} {verb(idle, 'has', 'have')} no "
            f"driver and {verb(idle, 'goes', 'go')} along with {addresses(on_vfio)}: "
            "as long as user space has the group, the kernel lets no driver of the "
            "host bind to it.",
            "Nothing to do, unless the host is to use it.",
            others=(*on_vfio, *idle),
            severity=Severity.INFO,
        )


RULE = Rule(ABOUT, check_group=_check)
