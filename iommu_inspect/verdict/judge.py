"""The verdict: what the kernel would answer and every rule's findings, together."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.text import natural_key
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity
from iommu_inspect.rules.registry import RULES
from iommu_inspect.verdict.kernel_side import Answers, answers, of_host, of_target
from iommu_inspect.verdict.outcome import Verdict, of_findings, worst
from iommu_inspect.verdict.unseen import unseen

__all__ = [
    "Judgement",
    "TargetVerdict",
    "by_severity",
    "findings_of",
    "judge",
    "overall",
    "verdicts",
]

_BY_SEVERITY = list(Severity)


@dataclass(frozen=True, slots=True)
class TargetVerdict:
    """One target's verdict, and the kernel's own answers that it rests on."""

    target: Target
    verdict: Verdict
    answers: Answers


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a case comes to; ``verdict`` is the worst of the targets' verdicts."""

    verdict: Verdict
    targets: tuple[TargetVerdict, ...]
    findings: tuple[Finding, ...]


def judge(case: Case) -> Judgement:
    """Judge the case's targets, or the whole host, as nobody has excused anything."""
    findings = findings_of(case)
    judged = verdicts(case, findings)
    return Judgement(overall(case, judged, findings), judged, findings)


def findings_of(case: Case) -> tuple[Finding, ...]:
    """Return what every rule has to say, the worst first, asked once a case."""
    return case.once(
        "findings",
        lambda: by_severity(finding for rule in RULES for finding in rule.run(case)),
    )


def by_severity(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Sort findings: the worst first, then by group, then as the rules stand.

    Errors whose deciding fact is missing come after those that are certain: what is
    known to be wrong is the cause.
    """
    return tuple(sorted(findings, key=_order))


def _order(finding: Finding) -> tuple[object, ...]:
    group = natural_key(finding.group) if finding.group is not None else ()
    is_unknown = finding.certainty is Certainty.UNKNOWN
    perhaps = finding.severity is Severity.ERROR and is_unknown
    return (_BY_SEVERITY.index(finding.severity), perhaps, group)


def verdicts(case: Case, findings: Iterable[Finding]) -> tuple[TargetVerdict, ...]:
    """Judge each target by the kernel's answers and these findings.

    A target is ready only if the kernel would answer yes to every step and no rule
    has an error: the two must agree, and where one of them cannot tell, the verdict
    is unknown.
    """
    counted = _Counted(findings)
    return tuple(_judge(case, target, counted) for target in case.targets)


def overall(
    case: Case, judged: Iterable[TargetVerdict], findings: Iterable[Finding]
) -> Verdict:
    """Return the worst of the targets' verdicts; without targets, the host's."""
    if case.targets:
        return worst(one.verdict for one in judged)
    by_sight = Verdict.UNKNOWN if unseen(case) else Verdict.READY
    return worst((of_findings(findings), of_host(case), by_sight))


class _Counted:
    """Findings by what they may concern, so that each target finds its own at once."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self._of_group: dict[str, list[Finding]] = {}
        self._of_device: dict[DeviceId, list[Finding]] = {}
        every = tuple(findings)
        # What speaks of the whole host concerns every target alike.
        of_host = (f for f in every if f.group is None and not f.devices)
        self.of_host = of_findings(of_host)
        for finding in every:
            if finding.group is not None:
                self._of_group.setdefault(finding.group, []).append(finding)
            if finding.devices:
                self._of_device.setdefault(finding.devices[0], []).append(finding)

    def of(self, target: Target) -> Iterable[Finding]:
        """Return what may concern a target and not the whole host, some of it twice."""
        group, device = target.group, target.device
        return (
            *(self._of_group.get(group.id, ()) if group is not None else ()),
            *(self._of_device.get(device.id, ()) if device is not None else ()),
        )


def _judge(case: Case, target: Target, findings: _Counted) -> TargetVerdict:
    found = answers(case, target)
    by_kernel = of_target(case, target, found)
    by_rules = of_findings(f for f in findings.of(target) if _concerns(f, target))
    verdict = worst((by_kernel, findings.of_host, by_rules))
    return TargetVerdict(target, verdict, found)


def _concerns(finding: Finding, target: Target) -> bool:
    """Say whether a finding speaks of the target, its group, or the whole host."""
    if finding.rule == "not-on-vfio" and finding.devices and target.device is not None:
        return _is_about(finding, target.device)
    if finding.group is not None:
        return target.group is not None and finding.group == target.group.id
    if finding.devices and target.device is not None:
        return _is_about(finding, target.device)
    return not finding.devices


def _is_about(finding: Finding, device: Device) -> bool:
    return finding.devices[0] == device.id
