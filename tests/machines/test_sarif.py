"""SARIF: valid, read by others, and an error for whatever is not in order."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from examples import each
from machines.audited import SOURCES, both, code, of_targets, tally
from running import call
from shared import SYSFS

from iommu_inspect.audit.auditing import audit
from iommu_inspect.audit.known import Known
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.documents.common import to_json
from iommu_inspect.render.machines.fingerprint import fingerprints
from iommu_inspect.render.machines.sarif import sarif_document
from iommu_inspect.render.machines.sarif_places import message
from iommu_inspect.rules.finding import Severity

CHECKS = Path(__file__).resolve().parents[2] / "tools" / "sarif"
SCHEMA = (
    CHECKS / "node_modules/@microsoft/jest-sarif/lib/schemas/sarif-2.1.0-rtm.5.json"
)
READER = CHECKS / ".venv" / "bin" / "sarif"
HALF, ONE = SYSFS / "half-a-group", SYSFS / "groups-of-one"
needs_schema = pytest.mark.skipif(
    not SCHEMA.exists(), reason="the schema of SARIF is not there: make sarif-schema"
)


@cache
def schema() -> jsonschema.Draft4Validator:
    return jsonschema.Draft4Validator(json.loads(SCHEMA.read_text()))


def logs(source: Path) -> Iterator[tuple[dict[str, Any], int]]:
    for found in both(source):
        number = code(found.result)
        log = sarif_document(found, version="1.2.3", exit_code=number, notes=True)
        yield json.loads(to_json(log)), number


def results(log: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = log["runs"][0]["results"]
    return found


def log_of(*arguments: str | Path) -> dict[str, Any]:
    done = call("audit", *arguments, "--format", "sarif")
    log: dict[str, Any] = json.loads(done.stdout)
    assert log["runs"][0]["invocations"][0]["exitCode"] == done.returncode
    return log


@needs_schema
@each("source", SOURCES[::4])
def test_every_log_is_one_that_the_schema_of_oasis_describes(source: Path) -> None:
    for log, _ in logs(source):
        assert list(schema().iter_errors(log)) == []


@needs_schema
def test_a_log_with_everything_in_it_is_valid(tmp_path: Path) -> None:
    """New, known, gone and ignored findings, and notes."""
    baseline = ("--baseline", str(HALF), "--ignore", "settings-typo")
    for source in (ONE, SYSFS / "settings-misspelt", SYSFS / "hostile-names"):
        log = log_of("--from", source, *baseline, "--notes", "--strict")
        assert list(schema().iter_errors(log)) == []


@needs_schema
def test_the_schema_refuses_what_is_none() -> None:
    log = log_of("--from", HALF)
    results(log)[0]["level"] = "bad"
    assert list(schema().iter_errors(log))


@each("source", SOURCES)
def test_what_is_not_in_order_is_an_error_among_the_results(source: Path) -> None:
    """A gate that counts errors passes nothing that audit does not."""
    for log, number in logs(source):
        errors = [r for r in results(log) if r["level"] == "error"]
        assert bool(errors) == (number != 0)
        certain = [r for r in errors if r["properties"]["certainty"] != "unknown"]
        assert bool(certain) == (number == 1)


@each("source", SOURCES)
def test_no_two_results_have_one_fingerprint_and_each_has_its_rule(
    source: Path,
) -> None:
    for log, _ in logs(source):
        marks = [r["partialFingerprints"]["iommuInspect/v1"] for r in results(log)]
        assert len(set(marks)) == len(marks)
        rules = log["runs"][0]["tool"]["driver"]["rules"]
        assert [rules[r["ruleIndex"]]["id"] for r in results(log)] == [
            r["ruleId"] for r in results(log)
        ]
        for rule in rules:
            assert rule["helpUri"].startswith("https://")
            assert rule["help"]["text"]


def renumbered(machine: Machine) -> Machine:
    """Return a machine after a boot that gave its groups other numbers."""
    groups = []
    for group in machine.groups:
        name = f"9{group.id}"
        members = tuple(replace(device, group=name) for device in group.devices)
        groups.append(replace(group, id=name, devices=members))
    return replace(machine, groups=tuple(groups))


@each("source", SOURCES[::3])
def test_a_fingerprint_stays_where_groups_get_other_numbers(source: Path) -> None:
    found = [tally(source).machine, renumbered(tally(source).machine)]
    audits = [audit(machine, applicable(machine.kernel)) for machine in found]
    known = [[*map(Known.of, each.findings)] for each in audits]
    numbers = [{f.group for f in each} - {None} for each in known]
    assert not numbers[0] & numbers[1]
    marks = [fingerprints(k, m) for k, m in zip(known, found, strict=True)]
    assert sorted(marks[0]) == sorted(marks[1])


def test_a_result_lies_at_its_device_and_names_the_others() -> None:
    (first, *_) = results(log_of("--from", HALF))
    (where,) = first["locations"]
    uri = where["physicalLocation"]["artifactLocation"]["uri"]
    assert uri.startswith("sys/bus/pci/devices/0000:")
    assert where["physicalLocation"]["region"] == {"startLine": 1}
    name = where["logicalLocations"][0]["name"]
    assert uri.endswith(f"/{name}")
    assert (SYSFS / "half-a-group" / uri).exists()


def test_notes_are_results_only_where_they_are_asked_for() -> None:
    brief = {r["level"] for r in results(log_of("--from", ONE))}
    whole = {r["level"] for r in results(log_of("--from", ONE, "--notes"))}
    assert "note" not in brief
    assert "note" in whole


def test_with_a_baseline_each_result_has_a_state() -> None:
    same = log_of("--from", HALF, "--baseline", HALF)
    assert {r["baselineState"] for r in results(same)} == {"unchanged"}
    gone = log_of("--from", ONE, "--baseline", HALF)
    assert "absent" in {r["baselineState"] for r in results(gone)}
    new = log_of("--from", HALF, "--baseline", ONE)
    assert "new" in {r["baselineState"] for r in results(new)}
    assert not any("baselineState" in r for r in results(log_of("--from", HALF)))


def test_what_is_ignored_is_suppressed_with_its_reason_and_the_verdict_stays() -> None:
    rules = {r["ruleId"] for r in results(log_of("--from", HALF))}
    ignores = [word for rule in sorted(rules) for word in ("--ignore", rule)]
    log = log_of("--from", HALF, *ignores)
    suppressed = [r for r in results(log) if "suppressions" in r]
    assert {r["ruleId"] for r in suppressed} == rules
    reason = suppressed[0]["suppressions"][0]["justification"]
    assert reason == "--ignore on the command line"
    # The kernel refuses the group all the same, and something has to say so.
    (left,) = [r for r in results(log) if "suppressions" not in r]
    assert (left["ruleId"], left["level"]) == ("verdict", "error")


def test_strict_makes_errors_of_warnings() -> None:
    source = SYSFS / "settings-misspelt"
    levels = [r["level"] for r in results(log_of("--from", source))]
    strict = [r["level"] for r in results(log_of("--from", source, "--strict"))]
    assert "warning" in levels
    assert "warning" not in strict


def test_levels_are_those_of_the_severities() -> None:
    found = tally(SYSFS / "hostile-names")
    levels = {"error": 0, "warning": 0, "note": 0}
    log = sarif_document(found, version="1", exit_code=0, notes=True)
    for result in results(log):
        levels[result["level"]] += result["ruleId"] != "verdict"
    severities = [f.severity for f in found.result.findings]
    names = {"error": Severity.ERROR, "warning": Severity.WARNING}
    names |= {"note": Severity.INFO}
    assert levels == {n: severities.count(s) for n, s in names.items()}


@each("text", ["a {0} b", "see [here](https://evil)", "{}", "a\x1b[2Jb\nc"])
def test_words_of_a_source_are_no_link_and_no_place_for_an_argument(text: str) -> None:
    found = message(text)["text"]
    assert "](" not in found
    assert "\x1b" not in found
    assert "{0}" not in found.replace("{{0}}", "")


def test_targets_and_their_verdicts_are_properties_of_the_run() -> None:
    found = of_targets(HALF)
    log = sarif_document(found, version="1", exit_code=1)
    told = log["runs"][0]["properties"]["targets"]
    assert [each["verdict"] for each in told] == [
        one.verdict.value for one in found.result.targets
    ]


@pytest.mark.skipif(not READER.exists(), reason="sarif-tools is not there: make sarif")
def test_another_program_reads_the_log(tmp_path: Path) -> None:
    log = tmp_path / "host.sarif"
    done = call("audit", "--from", HALF, "--format", "sarif", "--output", log)
    assert done.returncode == 1
    read = subprocess.run(
        [READER, "--check", "error", "summary", log], capture_output=True, text=True
    )
    assert read.returncode == 1
    errors = [r for r in results(log_of("--from", HALF)) if r["level"] == "error"]
    assert f"error: {len(errors)}" in read.stdout
    assert "mixed-ownership" in read.stdout
