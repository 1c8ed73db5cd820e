"""What of an audit is new since an earlier one of the same machine.

A finding is known if the earlier audit had one of the same rule, about the same device
(matched by what it is, not by its address), of the same words but for names and
numbers, and at least as bad. What cannot be matched is new: nothing is left out by
mistake.
"""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import replace

from iommu_inspect.audit.advising import advise_host
from iommu_inspect.audit.auditing import Audit, Since
from iommu_inspect.audit.differences.matching import Matching, match
from iommu_inspect.audit.known import Known
from iommu_inspect.audit.told_once import nameless, told_once
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Finding
from iommu_inspect.verdict.judge import TargetVerdict
from iommu_inspect.verdict.outcome import Verdict, of_findings, worst

__all__ = ["Baseline", "compared", "only_new", "targets_then"]

_NUMBER = re.compile(r"\d+")


@dataclass(frozen=True, slots=True, eq=False)
class Baseline:
    """An earlier audit: its machine, all that it found, the verdicts about targets.

    ``verdicts`` go by the device or, for a whole group, by the id of the group.
    ``rules`` are those that apply to the machine, ``None`` where only a document of the
    audit is left of it, which has no more of the machine than its devices.
    """

    name: str
    machine: Machine
    found: tuple[Known, ...]
    verdicts: Mapping[DeviceId | str, Verdict]
    rules: Semantics | None = None

    @classmethod
    def of(
        cls,
        name: str,
        machine: Machine,
        result: Audit,
        rules: Semantics | None = None,
    ) -> Baseline:
        """Return an audit as the baseline of a later one."""
        findings = (*result.findings, *(each.finding for each in result.ignored))
        return cls(
            name,
            machine,
            tuple(map(Known.of, findings)),
            {each.target.identity: each.verdict for each in result.targets},
            rules,
        )


def targets_then(
    before: Machine, after: Machine, targets: Iterable[Target]
) -> tuple[Target, ...]:
    """Return what targets were in an earlier state: the same devices, wherever.

    A group is those that its members were in; what was not there is left out.
    """
    found = _then(match(before, after), before, targets)
    return tuple(
        {each.identity: each for one in found.values() for each in one}.values()
    )


def _then(
    matching: Matching, before: Machine, targets: Iterable[Target]
) -> dict[DeviceId | str, list[Target]]:
    old = {pair.after.id: pair.before for pair in matching.pairs}
    found: dict[DeviceId | str, list[Target]] = {}
    for target in targets:
        mine = found.setdefault(target.identity, [])
        for device in (target.device,) if target.device else target.devices:
            if (was := old.get(device.id)) is None:
                continue
            group = before.group_of(was)
            if target.device is not None:
                mine.append(Target(target.text, was, group))
            elif group is not None:
                mine.append(Target(f"group:{group.id}", None, group))
    return found


def only_new(
    result: Audit, machine: Machine, semantics: Semantics, baseline: Baseline
) -> Audit:
    """Return the audit with nothing but what is new among its findings.

    The verdicts stay what they are; ``since`` has what is left out, and what the new
    findings come to.
    """
    matching = match(baseline.machine, machine)
    shown = tuple(map(Known.of, result.findings))
    aside = tuple(Known.of(each.finding) for each in result.ignored)
    is_new, gone = compared(shown, aside, machine, baseline, matching)
    new: list[Finding] = []
    left: list[Finding] = []
    for finding, newly in zip(result.findings, is_new, strict=True):
        (new if newly else left).append(finding)
    # What no finding explains is not explained by one that is left out.
    unexplained = _unexplained(result)
    if result.targets:
        before = _then(matching, baseline.machine, (t.target for t in result.targets))
        unexplained = [_newly(each, before, baseline) for each in result.targets]
    verdict = worst((of_findings(new), *unexplained))
    since = Since(baseline.name, verdict, tuple(left), gone)
    advice = result.advice
    if not result.targets:
        case = Case(Inquiry(machine, semantics), (), result.purpose)
        advice = advise_host(case, new)
    return replace(
        result,
        findings=tuple(new),
        told=told_once(new, machine),
        advice=advice,
        since=since,
    )


def compared(
    found: tuple[Known, ...],
    ignored: tuple[Known, ...],
    machine: Machine,
    baseline: Baseline,
    matching: Matching,
) -> tuple[tuple[bool, ...], tuple[Known, ...]]:
    """Say of each finding whether it is new, and which only the baseline has."""
    names = {pair.before.id: pair.after.id for pair in matching.pairs}
    then: dict[Hashable, int] = {}
    for known in baseline.found:
        key = _key(known, baseline.machine, names)
        then[key] = max(then.get(key, 0), known.rank)
    same = {device.id: device.id for device in machine.devices}
    keys = [_key(known, machine, same) for known in found]
    now = {*keys, *(_key(known, machine, same) for known in ignored)}
    return (
        tuple(
            then.get(key, -1) < known.rank
            for key, known in zip(keys, found, strict=True)
        ),
        tuple(
            known
            for known in baseline.found
            if _key(known, baseline.machine, names) not in now
        ),
    )


def _unexplained(result: Audit) -> list[Verdict]:
    """Return what a host's verdict rests on beside the findings."""
    by_findings = of_findings(result.findings)
    found = [Verdict.UNKNOWN] if result.unseen else []
    if result.verdict is not by_findings and by_findings is not Verdict.BLOCKED:
        found.append(result.verdict)
    return found


def _newly(
    now: TargetVerdict,
    then: Mapping[DeviceId | str, list[Target]],
    baseline: Baseline,
) -> Verdict:
    """Return a target's verdict, ready if it had the same one before, or was blocked.

    One that could be told and cannot any more is unknown: who knows what is new.
    """
    were = [
        baseline.verdicts[target.identity]
        for target in then[now.target.identity]
        if target.identity in baseline.verdicts
    ]
    was = worst(were) if were else None
    return Verdict.READY if was is now.verdict else now.verdict


def _key(
    known: Known, machine: Machine, names: Mapping[DeviceId, DeviceId]
) -> Hashable:
    """Return what a finding has in common with an earlier one of the same thing."""
    devices = [d for each in known.devices if (d := machine.device(each)) is not None]
    about: Hashable = None
    if known.devices:
        first = known.devices[0]
        # An address where no device is stays what it is.
        about = names.get(first, ("gone", first) if machine.device(first) else first)
    (words,) = nameless([known.message], devices, known.group)
    return (known.rule, about, _NUMBER.sub("#", words))
