"""What of a host is otherwise than last time; numbers of groups are no change."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.audit.baseline import Baseline, compared
from iommu_inspect.audit.differences.matching import match
from iommu_inspect.audit.differences.placing import parted, place
from iommu_inspect.audit.differences.regrouping import Placed, Regrouped, regrouped
from iommu_inspect.audit.fleet.row import Change, Changes, Moved
from iommu_inspect.audit.fleet.side import Side
from iommu_inspect.audit.known import Known
from iommu_inspect.model.device import Device
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.rules.finding import Severity

__all__ = ["changes_between"]


def changes_between(then: Side, now: Side, before: str) -> Changes:
    """Hold a host against itself, last time read from ``before``.

    It is the same only if all could be compared: which device is which, their groups,
    and two verdicts about the same question.
    """
    matching = match(then.machine, now.machine)
    added, hidden_now = parted(matching.after_only, now.machine, then.machine)
    removed, hidden_then = parted(matching.before_only, then.machine, now.machine)
    placed, unplaced = place(matching, then.machine, now.machine)
    groups = regrouped(placed, added, removed)
    ungrouped = [p for p in placed if p.before and not p.after]
    grouped = [p for p in placed if p.after and not p.before]
    judged = then.whole and now.whole
    new: tuple[str, ...] = ()
    cured: tuple[str, ...] = ()
    if judged:
        baseline = Baseline(before, then.machine, then.found, {})
        is_new, gone = compared(now.found, (), now.machine, baseline, matching)
        pairs = zip(now.found, is_new, strict=True)
        new = _rules(known for known, newly in pairs if newly)
        cured = _rules(gone)
    other = judged and then.verdict is not now.verdict
    differs = any((groups, ungrouped, grouped, added, removed, new, cured, other))
    open_questions = any((hidden_now, hidden_then, unplaced, matching.alike))
    if differs:
        change = Change.CHANGED
    elif open_questions or not judged:
        change = Change.UNTOLD
    else:
        change = Change.SAME
    return Changes(
        change,
        before,
        then.verdict,
        tuple(map(_moved, groups)),
        _placed(ungrouped),
        _placed(grouped),
        _ids(added),
        _ids(removed),
        new,
        cured,
    )


def _rules(found: Iterable[Known]) -> tuple[str, ...]:
    """Name rules once; notes are no news."""
    return tuple(
        sorted({each.rule for each in found if each.severity is not Severity.INFO})
    )


def _moved(each: Regrouped) -> Moved:
    return Moved(
        each.kind,
        tuple(group.id for group in each.before),
        tuple(group.id for group in each.after),
        tuple(sorted(p.pair.after.id for p in each.moved or each.members)),
    )


def _placed(placed: Iterable[Placed]) -> tuple[DeviceId, ...]:
    return _ids(each.pair.after for each in placed)


def _ids(devices: Iterable[Device]) -> tuple[DeviceId, ...]:
    return tuple(sorted(device.id for device in devices))
