"""All that a report shows, found out once."""

from __future__ import annotations

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.changes import Effects, effects
from iommu_inspect.audit.differences.differing import Differences
from iommu_inspect.audit.picture import Picture, picture_of
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.machine import Machine

__all__ = ["Report", "Tried", "report_of"]


@dataclass(frozen=True, slots=True)
class Tried:
    """What the steps of the advice lead to, taken on ``before``.

    ``supposed`` says that ``before`` is not quite the state that was read: it has what
    the plan supposes of facts that are missing.
    """

    before: Machine
    effects: Effects
    supposed: bool


@dataclass(frozen=True, slots=True)
class Report:
    """An audit, and the machine that it is about.

    ``tried`` is there where the advice has a plan with steps; ``differences`` where
    the baseline was a source, and not the document of an audit.
    """

    machine: Machine
    semantics: Semantics
    result: Audit
    picture: Picture
    tried: Tried | None = None
    differences: Differences | None = None


def report_of(
    machine: Machine,
    semantics: Semantics,
    result: Audit,
    differences: Differences | None = None,
) -> Report:
    """Find out what a report shows beside an audit."""
    return Report(
        machine,
        semantics,
        result,
        picture_of(Inquiry(machine, semantics)),
        _tried(semantics, result),
        differences,
    )


def _tried(semantics: Semantics, result: Audit) -> Tried | None:
    """Take the plan's steps once more, for the state that they lead to."""
    plan = result.advice.plan
    if plan is None or not result.advice.steps:
        return None
    from iommu_inspect.plan.steps.checking import take

    done = take(plan.machine, semantics, plan.there)
    found = effects(plan.machine, done, semantics)
    return Tried(plan.machine, found, bool(plan.conditions))
