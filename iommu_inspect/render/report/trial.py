"""The plan's steps in a report: the state before, the answers, the state after."""

from __future__ import annotations

from iommu_inspect.audit.changes import GroupChange
from iommu_inspect.audit.report import Tried
from iommu_inspect.kernel.ownership.inquiry import Owned
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.render.devices import driver_mark
from iommu_inspect.render.report.blocks import WIDE
from iommu_inspect.render.simulation import finding_rows, state_word, what_goes

__all__ = ["ChangeRow", "StepRow", "Trial", "trial_of"]


@dataclass(frozen=True, slots=True)
class StepRow:
    """A step and the kernel's answer to it."""

    step: str
    result: str
    because: str


@dataclass(frozen=True, slots=True)
class ChangeRow:
    """A group that the steps change: owner and members, before and after."""

    group: str
    anchor: str | None
    owner_before: str
    before: tuple[str, ...]
    owner_after: str
    after: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Trial:
    """The rows; ``supposed`` says that they start from what the plan supposes.

    ``lost`` are sentences about what the host loses; ``findings`` rows of a rule, a
    group, how bad it was and is, and whom it is about.
    """

    supposed: bool
    steps: tuple[StepRow, ...]
    changes: tuple[ChangeRow, ...]
    lost: tuple[str, ...]
    findings: tuple[tuple[str, ...], ...]


def trial_of(tried: Tried, anchors: dict[str, str]) -> Trial:
    """Return what a report shows of the steps."""
    effects = tried.effects
    return Trial(
        tried.supposed,
        tuple(
            StepRow(o.step.text, o.answer.result, o.answer.because)
            for o in effects.simulation.outcomes
        ),
        tuple(_change(each, anchors) for each in effects.changes),
        tuple(line for text in what_goes(effects, WIDE) for line in text.splitlines()),
        tuple(
            tuple(row)
            for row in finding_rows(effects.findings_before, effects.findings_after)
        ),
    )


def _change(change: GroupChange, anchors: dict[str, str]) -> ChangeRow:
    return ChangeRow(
        change.group,
        anchors.get(change.group),
        state_word(change.before),
        _members(change.before),
        state_word(change.after),
        _members(change.after),
    )


def _members(owned: Owned | None) -> tuple[str, ...]:
    devices = owned.group.devices if owned else ()
    return tuple(f"{d.address} ({driver_mark(d)})" for d in devices)
