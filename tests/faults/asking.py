"""Everything that the program answers about one machine, as short words."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.audit.auditing import audit_of
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.grouping.growth import Growing
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.grouping.telling.sharing import sharing
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.losses import is_fatal, perhaps_lost, perhaps_untold
from iommu_inspect.plan.steps.making import Plan, plan_for
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.verdict.judge import judge

__all__ = ["answers"]

_GROWS = {True: "grows", False: "cannot grow", None: "unknown"}


def answers(machine: Machine) -> dict[str, str]:
    """Ask everything: each question and its answer."""
    inquiry = Inquiry(machine, applicable(machine.kernel))
    return dict(
        [
            *_of_kernel(inquiry),
            *_of_groups(machine),
            *_of_uses(machine),
            *_of_host(inquiry),
            *_of_targets(inquiry),
        ]
    )


def _of_kernel(inquiry: Inquiry) -> Iterator[tuple[str, str]]:
    for each in inquiry.predictions():
        target = f"group {each.group}" if each.target == each.group else each.target
        yield f"predict {each.operation} {target}", each.answer.result
    for group in inquiry.machine.groups:
        yield f"list {group.id}", inquiry.ownership(group).value


def _of_groups(machine: Machine) -> Iterator[tuple[str, str]]:
    grouping, found = Grouping(machine), recompute(machine)
    growing = Growing(grouping)
    for device in machine.devices:
        shares = sharing(grouping, device, found)
        yield f"why {device.id}", "told" if shares.told else "unknown"
        if shares.group:
            growth = growing.growth(shares.group)
            yield f"growth {device.id}", _GROWS[growth.can_grow]


def _of_uses(machine: Machine) -> Iterator[tuple[str, str]]:
    for device in machine.devices:
        perhaps = perhaps_lost(machine, device) or perhaps_untold(machine, device)
        lived_on = "unknown" if perhaps else "can be spared"
        if is_fatal(machine, device):
            lived_on = "lived on"
        yield f"host {device.id}", lived_on


def _of_host(inquiry: Inquiry) -> Iterator[tuple[str, str]]:
    for purpose in Purpose:
        whole = audit_of(Case(inquiry, purpose=purpose))
        yield f"audit {purpose.value}", whole.verdict.value
        for each in whole.summary:
            alone = " ".join(str(d.id) for d in each.devices)
            names = alone if each.group is None else f"group:{each.group}"
            yield f"summary {purpose.value} {names}", each.possible.value


def _of_targets(inquiry: Inquiry) -> Iterator[tuple[str, str]]:
    machine = inquiry.machine
    for target in _targets(machine):
        for purpose in Purpose:
            about = f"{purpose.value} {target.text}"
            case = Case(inquiry, (target,), purpose)
            yield f"audit {about}", judge(case).verdict.value
            plan = plan_for(case)
            yield f"plan {about}", plan.outcome.value
            yield f"looks {about}", _looks(machine, plan)


def _looks(machine: Machine, plan: Plan) -> str:
    """Say whether somebody is told to look at what the host may live on first."""
    looked = {look.about for c in plan.conditions for look in c.looks}
    for move in plan.moves:
        device = machine.device(move.device.id) or move.device
        perhaps = perhaps_lost(machine, device) or perhaps_untold(machine, device)
        if plan.has_steps and move.changes and perhaps and device.id not in looked:
            return f"nobody looks at {device.id}"
    return "unknown"


def _targets(machine: Machine) -> Iterator[Target]:
    for group in machine.groups:
        yield Target(f"group:{group.id}", None, group)
    for device in machine.devices:
        yield Target(str(device.id), device, machine.group_of(device))
