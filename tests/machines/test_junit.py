"""JUnit: read by another library, and red wherever audit is."""

from __future__ import annotations

import io
import xml.etree.ElementTree as ET
from dataclasses import replace
from pathlib import Path

import pytest
from examples import each
from machines.audited import SOURCES, both, code
from running import call
from shared import FIXTURES, SYSFS

from iommu_inspect.render.machines.cases import Outcome, cases_of
from iommu_inspect.render.machines.junit import junit_text
from iommu_inspect.verdict.outcome import Verdict
from iommu_inspect.verdict.unseen import Fact, Unseen

HALF, ONE = SYSFS / "half-a-group", SYSFS / "groups-of-one"


def suite(*arguments: str | Path) -> ET.Element:
    done = call("audit", *arguments, "--format", "junit")
    found = ET.fromstring(done.stdout.encode()).find("testsuite")
    assert found is not None, done.stderr
    return found


@each("source", SOURCES)
def test_a_report_fails_where_audit_does(source: Path) -> None:
    """By 1 a test has failed, by 3 one is an error, by 0 there is neither."""
    for found in both(source):
        root = ET.fromstring(junit_text(found, version="1", notes=True).encode())
        failed, errors = root.findall(".//failure"), root.findall(".//error")
        number = code(found.result)
        assert bool(failed) == (number == 1)
        assert errors or number != 3
        assert not errors or number != 0
        assert all(each.get("message") for each in (*failed, *errors))


@each("source", SOURCES)
def test_the_counts_are_those_of_the_cases(source: Path) -> None:
    for found in both(source):
        root = ET.fromstring(junit_text(found, version="1").encode())
        (one,) = root.findall("testsuite")
        cases = one.findall("testcase")
        kinds = {"failures": "failure", "errors": "error", "skipped": "skipped"}
        assert one.get("tests") == str(len(cases))
        for count, kind in kinds.items():
            assert one.get(count) == str(len(one.findall(f"testcase/{kind}")))
        names = [case.get("name") for case in cases]
        assert len(set(names)) == len(names)


def test_another_library_reads_the_report() -> None:
    junitparser = pytest.importorskip("junitparser", reason="no junitparser")
    done = call("audit", "--from", HALF, "--format", "junit")
    (one,) = junitparser.JUnitXml.fromstring(done.stdout.encode())
    assert (one.name, one.failures) == ("iommu-inspect audit", 1)
    assert one.tests == len(list(one))
    failed = [case for case in one if not case.is_passed]
    assert "mixed-ownership" in failed[0].result[0].message
    assert {p.name: p.value for p in one.properties()}["verdict"] == "blocked"
    again = junitparser.JUnitXml.fromstring(done.stdout.encode())
    again.write(io.BytesIO())


def test_each_target_is_a_case_by_the_name_it_was_asked_for() -> None:
    cases = suite("group:13", "group:14", "--from", HALF).findall("testcase")
    assert [case.get("name") for case in cases] == ["group:13", "group:14"]


def test_a_host_of_which_too_little_is_seen_is_an_error() -> None:
    """Nothing is wrong there, and nothing is known."""
    found = suite("--from", FIXTURES / "texts" / "board-without-iommu.txt")
    assert found.get("errors") != "0" or found.get("failures") != "0"


def test_what_is_ignored_or_known_is_skipped_and_says_why() -> None:
    same = suite("--from", HALF, "--baseline", HALF)
    assert (same.get("failures"), same.get("errors")) == ("0", "0")
    (skipped,) = same.findall("testcase/skipped")
    assert skipped.get("message") == "mixed-ownership, as in the baseline"
    target = suite("group:15", "--from", HALF, "--baseline", HALF)
    (known,) = target.findall("testcase/skipped")
    assert known.get("message") == "blocked, as in the baseline"
    ignored = ("--ignore", "mixed-ownership")
    host = suite("--from", HALF, *ignored)
    (skipped,) = host.findall("testcase/skipped")
    assert (skipped.get("message") or "").startswith("mixed-ownership is ignored: ")
    # The kernel refuses the group all the same, and so is the target blocked.
    assert host.findall("testcase[@name='host']/failure")
    assert suite("group:15", "--from", HALF, *ignored).get("failures") == "1"


@each("verdict", [Verdict.BLOCKED, Verdict.UNKNOWN])
def test_a_verdict_that_no_finding_explains_is_the_hosts(verdict: Verdict) -> None:
    (found, *_) = both(ONE)
    result = replace(found.result, verdict=verdict, findings=())
    host, *groups = cases_of(replace(found, result=result))
    wanted = Outcome.FAILED if verdict is Verdict.BLOCKED else Outcome.UNTOLD
    assert (host.name, host.outcome) == ("host", wanted)
    assert host.why
    assert {each.outcome for each in groups} == {Outcome.PASSED}


def test_what_is_not_seen_is_an_error_beside_what_has_failed() -> None:
    (found, *_) = both(HALF)
    lacks = (Unseen(Fact.LISTING, ()),)
    host, *_ = cases_of(replace(found, result=replace(found.result, unseen=lacks)))
    assert host.outcome is Outcome.UNTOLD
    assert host.more == ("the PCI devices could not be listed",)


def test_names_of_a_hostile_capture_are_only_text() -> None:
    done = call(
        "audit", "--from", SYSFS / "hostile-names", "--notes", "--format", "junit"
    )
    ET.fromstring(done.stdout.encode())
    assert "\x1b" not in done.stdout
    assert "\u202e" not in done.stdout


def test_notes_are_told_only_where_they_are_asked_for() -> None:
    brief = call("audit", "--from", ONE, "--format", "junit").stdout
    whole = call("audit", "--from", ONE, "--format", "junit", "--notes").stdout
    assert "info: " not in brief
    assert "info: " in whole
