"""The findings of a report: a row for what is said alike."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.told_once import Told, told_once
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.host.cures import cure_lines
from iommu_inspect.rules._cures import WriteLine
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = [
    "FindingRow",
    "GoneRow",
    "IgnoredRow",
    "gone_rows",
    "ignored_rows",
    "known_rows",
    "rows",
    "rules_of",
]

_WORDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}


@dataclass(frozen=True, slots=True)
class FindingRow:
    """What a row shows; ``kind`` is the word in the filter, ``word`` all that is said.

    ``groups`` are ids with the anchors of their rows, if they have one. ``lines`` are
    to be copied.
    """

    kind: str
    word: str
    rule: str
    groups: tuple[tuple[str, str | None], ...]
    devices: tuple[str, ...]
    message: str
    same: tuple[str, ...]
    remedy: str
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class GoneRow:
    """A finding that only an earlier audit had."""

    kind: str
    rule: str
    devices: tuple[str, ...]
    message: str


@dataclass(frozen=True, slots=True)
class IgnoredRow:
    """A finding that was set aside, and why."""

    kind: str
    rule: str
    devices: tuple[str, ...]
    message: str
    reason: str


def rows(
    result: Audit, anchors: Mapping[str, str], *, notes: bool
) -> tuple[FindingRow, ...]:
    """Return the rows, the worst first; notes only where they were asked for."""
    return _rows(result.told, anchors, notes=notes)


def known_rows(
    result: Audit, machine: Machine, anchors: Mapping[str, str], *, notes: bool
) -> tuple[FindingRow, ...]:
    """Return the rows of what an earlier audit has found as well."""
    known = result.since.known if result.since else ()
    return _rows(told_once(known, machine), anchors, notes=notes)


def gone_rows(result: Audit) -> tuple[GoneRow, ...]:
    """Return what an earlier audit found and this one does not."""
    gone = result.since.gone if result.since else ()
    return tuple(
        GoneRow(
            _WORDS[each.severity],
            each.rule,
            tuple(map(str, each.devices)),
            each.message,
        )
        for each in gone
        if each.severity is not Severity.INFO
    )


def ignored_rows(result: Audit) -> tuple[IgnoredRow, ...]:
    """Return what was set aside; what a device is refused for is still true of it."""
    return tuple(
        IgnoredRow(
            _WORDS[each.finding.severity],
            each.finding.rule,
            tuple(map(str, each.finding.devices)),
            each.finding.message,
            each.by.reason,
        )
        for each in result.ignored
    )


def rules_of(every: Iterable[FindingRow]) -> tuple[str, ...]:
    """Return the ids of the rules that rows name, in order."""
    return tuple(dict.fromkeys(row.rule for row in every))


def _rows(
    told: Iterable[Told], anchors: Mapping[str, str], *, notes: bool
) -> tuple[FindingRow, ...]:
    return tuple(
        _row(each, anchors)
        for each in told
        if notes or each.finding.severity is not Severity.INFO
    )


def _row(told: Told, anchors: Mapping[str, str]) -> FindingRow:
    finding = told.finding
    first, *lines = finding.remedy.split("\n")
    for cure in finding.cures:
        lines += cure_lines(cure) if isinstance(cure, WriteLine) else ()
    kind, word = _words(finding)
    return FindingRow(
        kind,
        word,
        finding.rule,
        tuple((group, anchors.get(group)) for group in told.groups),
        tuple(map(str, finding.devices)),
        finding.message,
        told.same,
        first,
        tuple(lines),
    )


def _words(finding: Finding) -> tuple[str, str]:
    """Name how bad it is; no error where the deciding fact is missing."""
    untold = finding.certainty is Certainty.UNKNOWN
    kind = _WORDS[finding.severity]
    if untold and finding.severity is Severity.ERROR:
        return "cannot tell", "cannot tell"
    return kind, f"{kind}, cannot tell" if untold else kind
