"""What a test report is made of: targets, or groups of a host, and how each did."""

from __future__ import annotations

import enum
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.tally import Tally
from iommu_inspect.kernel.answers import OK
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.render.audits.verdict import lack, sentence
from iommu_inspect.rules.finding import Finding, Severity
from iommu_inspect.verdict.judge import TargetVerdict
from iommu_inspect.verdict.outcome import Verdict, of_answer, of_findings

__all__ = ["Case", "Outcome", "cases_of"]

_Key = str | DeviceId


class Outcome(enum.Enum):
    """How a test did: what is not known is an error, so that no build passes by it.

    ``SKIPPED`` is what somebody decided to live with, or a baseline had already.
    """

    PASSED = "passed"
    FAILED = "failure"
    UNTOLD = "error"
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True)
class Case:
    """One test: its name, its outcome, why in a line, and all there is to say of it."""

    name: str
    outcome: Outcome
    why: str = ""
    findings: tuple[Finding, ...] = ()
    more: tuple[str, ...] = ()


_OF_VERDICT = {
    Verdict.READY: Outcome.PASSED,
    Verdict.BLOCKED: Outcome.FAILED,
    Verdict.UNKNOWN: Outcome.UNTOLD,
}


def cases_of(tally: Tally) -> tuple[Case, ...]:
    """Return a case for each target or, without any, for the host and each group.

    If the audit's exit code is 1 or 3, one of them has failed or is an error.
    """
    result = tally.result
    verdict = result.since.verdict if result.since is not None else result.verdict
    if result.targets:
        known = result.since is not None and verdict is Verdict.READY
        return tuple(_of_target(each, result, known=known) for each in result.targets)
    return tuple(_of_host(tally, verdict))


def _of_target(judged: TargetVerdict, result: Audit, *, known: bool) -> Case:
    target = judged.target
    findings = tuple(f for f in result.findings if _concerns(f, target))
    outcome = _OF_VERDICT[judged.verdict]
    more = tuple(
        f"{operation}: {answer.result}, {answer.because}"
        for operation, answer in judged.answers
        if answer.result not in (OK, "viable")
    )
    if outcome is Outcome.PASSED:
        return Case(target.text, outcome, "", findings)
    if known:
        why = f"{judged.verdict.value}, as in the baseline"
        return Case(target.text, Outcome.SKIPPED, why, findings, more)
    why = _first(findings) or next(
        (a.because for _, a in judged.answers if of_answer(a) is judged.verdict),
        sentence(result),
    )
    return Case(target.text, outcome, why, findings, more)


def _concerns(finding: Finding, target: Target) -> bool:
    """Say whether a finding is of a target, of its group, or of the whole host."""
    if target.device is not None and finding.devices[:1] == (target.device.id,):
        return True
    if finding.group is None:
        return not finding.devices
    return target.group is not None and target.group.id == finding.group


def _of_host(tally: Tally, verdict: Verdict) -> Iterator[Case]:
    result = tally.result
    names = dict(_named(tally))
    by_key = _sorted_out(result.findings, names)
    excused = _excused(result, names)
    groups = [
        _judged(name, by_key.get(key, ()), excused.get(key, ""))
        for key, name in names.items()
    ]
    host = _judged("host", by_key.get(None, ()), excused.get(None, ""))
    untold = tuple(map(lack, result.unseen))
    if untold and host.outcome in (Outcome.PASSED, Outcome.SKIPPED):
        host = replace(host, outcome=Outcome.UNTOLD, why=sentence(result), more=untold)
    wanted = _OF_VERDICT[verdict]
    # The kernel may refuse what no rule speaks of.
    if wanted not in (Outcome.PASSED, host.outcome, *(each.outcome for each in groups)):
        host = replace(host, outcome=wanted, why=sentence(result), more=untold)
    yield host
    yield from groups


def _named(tally: Tally) -> Iterator[tuple[_Key, str]]:
    """Yield what of a host has a case of its own, and the case's name."""
    for prospect in tally.result.summary:
        group = None if prospect.group is None else tally.machine.group(prospect.group)
        if group is not None:
            yield group.id, f"group of {_members(group)}"
        else:
            for device in prospect.devices:
                yield device.id, device.address


def _members(group: Group) -> str:
    """Name the members: a group's number is another one after the next boot."""
    names = [device.address for device in group.devices]
    more = f" and {len(names) - 4} more" if len(names) > 4 else ""
    return f"{', '.join(names[:4])}{more}"


def _key(finding: Finding, names: Mapping[_Key, str]) -> _Key | None:
    """Return whose case a finding belongs to; the host's, if nothing else has one."""
    about = finding.devices[0] if finding.devices else None
    return next((key for key in (finding.group, about) if key in names), None)


def _sorted_out(
    findings: Iterable[Finding], names: Mapping[_Key, str]
) -> dict[_Key | None, tuple[Finding, ...]]:
    found: dict[_Key | None, list[Finding]] = {}
    for finding in findings:
        found.setdefault(_key(finding, names), []).append(finding)
    return {key: tuple(each) for key, each in found.items()}


def _excused(result: Audit, names: Mapping[_Key, str]) -> dict[_Key | None, str]:
    """Say why errors of a case are none: they are ignored, or known for long."""
    found: dict[_Key | None, str] = {}
    for each in result.ignored:
        if each.finding.severity is Severity.ERROR:
            why = f"{each.finding.rule} is ignored: {each.by.reason}"
            found.setdefault(_key(each.finding, names), why)
    for finding in result.since.known if result.since is not None else ():
        if finding.severity is Severity.ERROR:
            why = f"{finding.rule}, as in the baseline"
            found.setdefault(_key(finding, names), why)
    return found


def _judged(name: str, findings: Sequence[Finding], excuse: str) -> Case:
    outcome = _OF_VERDICT[of_findings(findings)]
    if outcome is Outcome.PASSED and excuse:
        return Case(name, Outcome.SKIPPED, excuse, tuple(findings))
    return Case(name, outcome, _first(findings), tuple(findings))


def _first(findings: Iterable[Finding]) -> str:
    """Return the worst error in a line; findings come with the worst first."""
    return next(
        (f"{f.rule}: {f.message}" for f in findings if f.severity is Severity.ERROR),
        "",
    )
