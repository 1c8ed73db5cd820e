"""What is new since an earlier audit, and what that must never hide."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from builders import SINCE_6_6, only
from differing import Card, host, renumbered
from examples import each

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.audit.baseline import Baseline, only_new, targets_then
from iommu_inspect.audit.baseline_document import is_document, parse_baseline
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.documents.audit import audit_document
from iommu_inspect.render.documents.common import to_json
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.verdict.outcome import Verdict

RULES = only(SINCE_6_6)


def port(slot: int, *below: Card, group: str) -> Card:
    return Card(slot, 0x2F02, group=group, below=below)


def mixed(slot: int, group: str, first: int = 0x10) -> Card:
    """A port with two functions below it, one on vfio and one of the host."""
    both = (
        Card(0, first, "vfio-pci", group),
        Card(1, first + 1, "e1000e", group),
    )
    return port(slot, *both, group=f"port{slot}")


def written(before: Machine, *targets: str) -> Baseline:
    """Return the baseline by way of the document, as a file would have it."""
    found = tuple(find_target(before, text) for text in targets)
    text = to_json(audit_document(before, RULES, audit(before, RULES, found)))
    assert is_document(text)
    return parse_baseline(text, "old.json", Purpose.VFIO)


def read(before: Machine, after: Machine, *targets: str) -> Baseline:
    found = tuple(find_target(after, text) for text in targets)
    then = targets_then(before, after, found)
    if targets and not then:
        return Baseline("old", before, (), {})
    return Baseline.of("old", before, audit(before, RULES, then))


def since(baseline: Baseline, after: Machine, *targets: str) -> Audit:
    found = tuple(find_target(after, text) for text in targets)
    return only_new(audit(after, RULES, found), after, RULES, baseline)


def verdict(result: Audit) -> Verdict:
    assert result.since is not None
    return result.since.verdict


OLD = host([mixed(2, "1")])
NEW_NUMBERS = renumbered(OLD, {"1": "7", "port2": "8"})
SHIFTED = host([port(1, Card(0, 0x99, None, "9"), group="port1"), mixed(2, "1")])
WORSE = host([mixed(2, "1"), mixed(3, "2", 0x20)])


@each("after", [OLD, NEW_NUMBERS, SHIFTED])
def test_what_was_wrong_before_is_known_wherever_it_is_now(after: Machine) -> None:
    for baseline in (read(OLD, after), written(OLD)):
        result = since(baseline, after)
        assert [f.rule for f in result.findings if f.severity.value == "error"] == []
        assert verdict(result) is Verdict.READY
        assert result.verdict is Verdict.BLOCKED
        assert result.since is not None
        assert "mixed-ownership" in [f.rule for f in result.since.known]
        assert result.since.gone == ()


def test_what_is_new_is_told_alone_and_what_is_gone_is_named() -> None:
    for baseline in (read(OLD, WORSE), written(OLD)):
        result = since(baseline, WORSE)
        errors = [f for f in result.findings if f.severity.value == "error"]
        assert [f.rule for f in errors] == ["mixed-ownership"]
        assert [str(f.devices[0]) for f in errors] == ["0000:02:01.0"]
        assert verdict(result) is Verdict.BLOCKED
    for baseline in (read(WORSE, OLD), written(WORSE)):
        result = since(baseline, OLD)
        assert verdict(result) is Verdict.READY
        assert result.since is not None
        gone = [k for k in result.since.gone if k.severity.value == "error"]
        assert [str(k.devices[0]) for k in gone] == ["0000:02:01.0"]


def test_the_verdict_of_a_target_stays_and_only_the_exit_code_is_about_news() -> None:
    then = written(OLD, "01:00.0")
    for baseline in (then, read(OLD, SHIFTED, "02:00.0")):
        result = since(baseline, SHIFTED, "02:00.0")
        assert [t.verdict for t in result.targets] == [Verdict.BLOCKED]
        assert result.verdict is Verdict.BLOCKED
        assert verdict(result) is Verdict.READY


def test_a_target_that_was_not_there_is_all_new() -> None:
    result = since(read(OLD, WORSE, "02:00.0"), WORSE, "02:00.0")
    assert result.since is not None
    assert result.since.known == ()
    assert verdict(result) is Verdict.BLOCKED


def test_a_target_that_was_ready_and_is_blocked_is_new() -> None:
    ready = host([port(2, Card(0, 0x10, "vfio-pci", "1"), group="port2")])
    for baseline in (read(ready, OLD, "01:00.0"), written(ready, "01:00.0")):
        assert verdict(since(baseline, OLD, "01:00.0")) is Verdict.BLOCKED


def test_a_lost_fact_is_never_nothing_new() -> None:
    """The driver beside it cannot be seen any more: what it is now is not known."""
    members = [
        replace(d, driver=Missing.DENIED) if d.driver == "e1000e" else d
        for d in OLD.groups[1].devices
    ]
    assert len(members) == 2
    hidden = replace(
        OLD, groups=(OLD.groups[0], replace(OLD.groups[1], devices=tuple(members)))
    )
    for targets in ((), ("01:00.0",)):
        result = since(read(OLD, hidden, *targets), hidden, *targets)
        assert verdict(result) is Verdict.UNKNOWN, targets


def test_a_worse_finding_of_the_same_rule_is_new() -> None:
    baseline = written(OLD)
    known = tuple(replace(k, severity=type(k.severity).WARNING) for k in baseline.found)
    weaker = replace(baseline, found=known)
    assert verdict(since(weaker, OLD)) is Verdict.BLOCKED


def spoilt(**fields: Any) -> str:
    document = audit_document(OLD, RULES, audit(OLD, RULES))
    return json.dumps({**document, **fields})


WRONG = [
    "{",
    "{}",
    "{" * 100_000,
    spoilt(schema="iommu-inspect/list/1"),
    spoilt(purpose="dpdk"),
    spoilt(devices=None),
    spoilt(findings=[1]),
    spoilt(findings=None),
    spoilt(targets=[{"address": {}, "verdict": "ready"}]),
    spoilt(devices=[{"address": []}]),
    spoilt(devices=[{"address": "0000:01:00.0", "vendor": "zz"}]),
]


@each("text", WRONG)
def test_what_is_no_audit_is_a_usage_error(text: str) -> None:
    with pytest.raises(BadRequestError, match=r"x\.json"):
        parse_baseline(text, "x.json", Purpose.VFIO)
