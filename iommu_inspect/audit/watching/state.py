"""What is said of a host at one moment, for comparison with the next."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.roles import Ownership, Role
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Finding
from iommu_inspect.verdict.judge import findings_of

__all__ = ["Owner", "State", "state_of"]

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True)
class Owner:
    """Who owns a group, and the members that make it so, as far as that is told."""

    ownership: Ownership
    user: tuple[Device, ...] = ()
    kernel: tuple[Device, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """A machine under the rules of its kernel, with what there is to say of it.

    ``owners`` go by the ids of groups. ``findings`` are those of an audit of the whole
    host, the worst first, by what makes each the same finding as an earlier one.
    """

    machine: Machine
    semantics: Semantics
    owners: Mapping[str, Owner]
    findings: Mapping[Hashable, Finding]


def state_of(machine: Machine, semantics: Semantics) -> State:
    """Judge a host as a whole, as an audit without targets does."""
    inquiry = Inquiry(machine, semantics)
    found: dict[Hashable, Finding] = {}
    seen: Counter[Hashable] = Counter()
    for finding in findings_of(Case(inquiry)):
        key = _key(finding)
        found[key, seen[key]] = finding
        seen[key] += 1
    owners = {group.id: _owner(inquiry, group) for group in machine.groups}
    return State(machine, semantics, owners, found)


def _owner(inquiry: Inquiry, group: Group) -> Owner:
    members = [(device, inquiry.role(device)) for device in group.devices]
    return Owner(
        inquiry.ownership(group),
        tuple(device for device, role in members if role is Role.VFIO),
        tuple(device for device, role in members if role is Role.KERNEL),
    )


def _key(finding: Finding) -> Hashable:
    """Return what a finding has in common with the same one a moment earlier.

    That is its rule and the device that it is about, whatever else its words name. What
    is about the host, as settings are, has only its words.
    """
    if finding.devices:
        return (finding.rule, finding.group, finding.devices[0])
    return (finding.rule, finding.group, _NUMBER.sub("#", finding.message))
