"""An audit as SARIF 2.1.0 (OASIS, 2020): results that code scanners exchange.

What others than a program's source are scanned for has no file and no line. Consumers
ask for one all the same (GitHub's code scanning shows no result without), and so each
result lies at the device's own directory, relative as all there are: ``sys/bus/...``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iommu_inspect.audit.auditing import Audit
from iommu_inspect.audit.known import Known
from iommu_inspect.audit.tally import Tally
from iommu_inspect.model.fact import value_or
from iommu_inspect.render.audits.verdict import lack, sentence
from iommu_inspect.render.machines.fingerprint import fingerprints
from iommu_inspect.render.machines.sarif_places import message, uri_words
from iommu_inspect.render.machines.sarif_results import Told, result_fields
from iommu_inspect.render.machines.sarif_rules import VERDICT, rule_fields
from iommu_inspect.rules.finding import Certainty, Finding, Severity
from iommu_inspect.rules.registry import RULES
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["sarif_document"]

_SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"
_CODES = {
    0: "ready, or nothing is wrong",
    1: "blocked, or errors were found",
    3: "it cannot be told",
}


def sarif_document(
    tally: Tally, *, version: str, exit_code: int, notes: bool = False
) -> dict[str, Any]:
    """Build the log, with one run: what was found, known, gone, or set aside.

    Args:
        tally: the audit, and the machine that it is about.
        version: that of the program.
        exit_code: what the command ends with.
        notes: whether what is only worth a note (severity info) is among the results.
    """
    result, machine = tally.result, tally.machine
    told = [
        each
        for each in _told(result)
        if notes or each.finding.severity is not Severity.INFO
    ]
    ids = {each.finding.rule for each in told}
    rules = [rule_fields(rule) for rule in RULES if rule.id in ids]
    if VERDICT["id"] in ids:
        rules.append(VERDICT)
    places = {rule["id"]: place for place, rule in enumerate(rules)}
    prints = fingerprints((each.finding for each in told), machine)
    run = {
        "tool": {
            "driver": {
                "name": "iommu-inspect",
                "version": version,
                "semanticVersion": version,
                "rules": rules,
            }
        },
        "automationDetails": {"id": _automation(tally)},
        "invocations": [_invocation(tally, exit_code)],
        "columnKind": "unicodeCodePoints",
        "results": [
            result_fields(each, machine, places[each.finding.rule], mark)
            for each, mark in zip(told, prints, strict=True)
        ],
        "properties": {
            "verdict": result.verdict.value,
            "purpose": result.purpose.value,
            "kernel": value_or(machine.kernel.release, None),
            "rules": tally.semantics.label,
            "source": {"kind": machine.source.kind, "name": machine.source.name},
            "targets": [
                {"target": each.target.text, "verdict": each.verdict.value}
                for each in result.targets
            ],
        },
    }
    return {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}


def _told(result: Audit) -> Iterable[Told]:
    """Yield all findings: with a baseline each has a state, else none has one."""
    since = result.since
    new = None if since is None else "new"
    for finding in result.findings:
        yield Told(Known.of(finding), new, finding)
    verdict = result.verdict if since is None else since.verdict
    if verdict is not Verdict.READY and not _explained(result.findings, verdict):
        yield Told(_unexplained(result, verdict), new)
    if since is not None:
        for finding in since.known:
            yield Told(Known.of(finding), "unchanged", finding)
        for known in since.gone:
            yield Told(known, "absent")
    for ignored in result.ignored:
        known, reason = Known.of(ignored.finding), ignored.by.reason
        # It was set aside before the baseline was asked: what is not matched is new.
        yield Told(known, new, ignored.finding, reason)


def _explained(findings: Iterable[Finding], verdict: Verdict) -> bool:
    """Say whether an error stands for the verdict, so that none passes for "ready"."""
    errors = (f for f in findings if f.severity is Severity.ERROR)
    unknown = verdict is Verdict.UNKNOWN
    return any((f.certainty is Certainty.UNKNOWN) is unknown for f in errors)


def _unexplained(result: Audit, verdict: Verdict) -> Known:
    """Return the verdict as a finding: the kernel refuses, or too little was seen."""
    unknown = verdict is Verdict.UNKNOWN
    certainty = Certainty.UNKNOWN if unknown else Certainty.KERNEL
    rule = str(VERDICT["id"])
    devices = [
        each.target.device.id
        for each in result.targets
        if each.verdict is verdict and each.target.device is not None
    ]
    devices += [device.id for each in result.unseen for device in each.devices]
    words = sentence(result)
    return Known(rule, Severity.ERROR, certainty, None, tuple(devices[:1]), words)


def _automation(tally: Tally) -> str:
    """Name the kind of run, up to its last slash: consumers compare within one."""
    source = tally.machine.source
    parts = ("iommu-inspect", tally.result.purpose.value, source.kind, source.name)
    return f"{'/'.join(map(uri_words, parts))}/"


def _invocation(tally: Tally, exit_code: int) -> dict[str, Any]:
    notes = [{"level": "note", "message": message(n)} for n in tally.machine.notes]
    notes += [
        {"level": "warning", "message": message(lack(each))}
        for each in tally.result.unseen
    ]
    return {
        "executionSuccessful": True,
        "exitCode": exit_code,
        "exitCodeDescription": _CODES.get(exit_code, ""),
        "toolExecutionNotifications": notes,
    }
