"""Metrics: those of the contract, bounded, and never better than the audit."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from examples import each
from hypothesis import given, settings
from hypothesis import strategies as st
from machines.audited import NOW, SOURCES, TEXTS, both, code, tally
from prometheus_client.parser import text_string_to_metric_families
from running import call
from shared import SYSFS

from iommu_inspect.audit.tally import Tally
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.text import printable
from iommu_inspect.render.machines.metrics import (
    METRICS,
    MOST_GROUPS,
    metrics_text,
    unread_metrics_text,
)
from iommu_inspect.rules.finding import Severity

HALF = SYSFS / "half-a-group"
PAGE = Path(__file__).resolve().parents[2] / "docs" / "metrics.md"
Series = tuple[str, tuple[tuple[str, str], ...]]


def text_of(found: Tally) -> str:
    number = code(found.result)
    return metrics_text(found, version="1.2.3", exit_code=number, now=NOW) + "\n"


def series(text: str) -> dict[Series, float]:
    return {
        (sample.name.removeprefix("iommu_inspect_"), tuple(sample.labels.items())): (
            sample.value
        )
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def one(text: str, name: str, **labels: str) -> float:
    wanted = set(labels.items())
    (value,) = (
        value
        for (other, found), value in series(text).items()
        if other == name and wanted <= set(found)
    )
    return value


@each("source", SOURCES)
def test_every_series_is_of_the_contract(source: Path) -> None:
    for found in both(source):
        for name, labels in series(text_of(found)):
            assert {key for key, _ in labels} == set(METRICS[name][1]), name


@each("source", SOURCES)
def test_the_verdict_is_the_audits_and_one(source: Path) -> None:
    for found in both(source):
        text = text_of(found)
        told = {
            dict(labels)["verdict"]: value
            for (name, labels), value in series(text).items()
            if name == "verdict"
        }
        assert sum(told.values()) == 1
        assert told[found.result.verdict.value] == 1
        assert one(text, "exit_code") == code(found.result)
        assert one(text, "source_readable") == 1


@each("source", SOURCES)
def test_counts_add_up(source: Path) -> None:
    for found in both(source):
        values = series(text_of(found))

        def total(name: str, values: dict[Series, float] = values) -> float:
            return sum(v for (other, _), v in values.items() if other == name)

        assert total("findings") == total("rule_findings")
        assert total("findings") == len(found.result.findings)
        assert total("targets") == len(found.result.targets)
        if found.machine.groups_known:
            assert total("groups") == len(found.machine.groups)
        else:
            assert ("groups", (("ownership", "conflict"),)) not in values


def test_where_the_groups_are_not_known_none_are_counted() -> None:
    texts = [source for source in TEXTS if not tally(source).machine.groups_known]
    assert texts
    for source in texts:
        text = text_of(tally(source))
        assert one(text, "groups_known") == 0
        assert "iommu_inspect_groups{" not in text
        assert "iommu_inspect_ready_devices" not in text


def test_a_source_that_cannot_be_read_is_unknown_and_has_no_counts() -> None:
    text = unread_metrics_text(version="1", exit_code=4, now=NOW) + "\n"
    assert one(text, "source_readable") == 0
    assert one(text, "verdict", verdict="unknown") == 1
    assert one(text, "verdict", verdict="ready") == 0
    assert one(text, "exit_code") == 4
    names = {name for name, _ in series(text)}
    assert names == {
        *("info", "audit_timestamp_seconds", "source_readable", "exit_code", "verdict")
    }


def many(count: int) -> Tally:
    """A host with as many groups that have an error each."""
    found = tally(HALF)
    (trouble, *_) = found.troubles
    troubles = tuple(
        replace(trouble, group=str(number), device=f"0000:00:00.{number}")
        for number in range(count)
    )
    return replace(found, troubles=troubles)


@each("count", [0, 1, MOST_GROUPS, MOST_GROUPS + 1, 1000])
def test_groups_with_errors_are_named_up_to_a_bound_and_then_counted(
    count: int,
) -> None:
    text = text_of(many(count))
    named = [labels for name, labels in series(text) if name == "error_group"]
    assert len(named) == min(count, MOST_GROUPS)
    assert one(text, "error_groups_left_out") == max(0, count - MOST_GROUPS)


def test_a_group_with_errors_is_named_by_its_worst() -> None:
    text = text_of(tally(HALF))
    labels = {"rule": "mixed-ownership", "certainty": "kernel"}
    assert one(text, "error_group", **labels) == 1


def test_with_a_baseline_it_is_counted_what_is_new() -> None:
    done = call("audit", "--from", HALF, "--baseline", HALF, "--format", "metrics")
    assert done.returncode == 0
    assert one(done.stdout, "findings", severity="error", certainty="kernel") == 0
    assert one(done.stdout, "baseline_findings", since="known") > 0
    assert one(done.stdout, "verdict", verdict="blocked") == 1
    assert one(done.stdout, "exit_code") == 0


def test_what_is_ignored_is_counted_as_such() -> None:
    done = call(
        *("audit", "--from", HALF, "--ignore", "mixed-ownership"),
        *("--format", "metrics"),
    )
    assert one(done.stdout, "ignored_findings") == 1
    assert one(done.stdout, "groups", ownership="conflict") == 1
    assert "error_group{" not in done.stdout


def test_there_are_no_timestamps_and_no_end_of_openmetrics() -> None:
    lines = text_of(tally(HALF)).splitlines()
    assert lines[-1] != "# EOF"
    value = re.compile(r"[a-z_]+(?:\{.*\})? [0-9.e+]+")
    assert all(value.fullmatch(x) for x in lines if not x.startswith("#"))


@settings(max_examples=40, deadline=None)
@given(st.text(max_size=30))
def test_a_label_is_read_back_as_it_is_shown(name: str) -> None:
    found = tally(HALF)
    machine = replace(found.machine, kernel=Kernel(release=name))
    text = text_of(replace(found, machine=machine))
    assert "\x1b" not in text
    ((_, labels),) = [each for each in series(text) if each[0] == "info"]
    assert dict(labels)["kernel"] == printable(name)


def checks() -> Iterator[str]:
    yield unread_metrics_text(version="1", exit_code=4, now=NOW) + "\n"
    for source in SOURCES[::5]:
        yield from map(text_of, both(source))
    yield text_of(many(1000))


@pytest.mark.skipif(shutil.which("promtool") is None, reason="install prometheus")
def test_promtool_has_nothing_to_say() -> None:
    for text in checks():
        done = subprocess.run(
            ["promtool", "check", "metrics"],
            input=text,
            capture_output=True,
            text=True,
        )
        assert (done.returncode, done.stdout + done.stderr) == (0, "")


def test_the_page_has_every_metric_with_its_labels_and_no_other() -> None:
    rows = re.findall(
        r"^\| `iommu_inspect_(\w+)` \|([^|]*)\|", PAGE.read_text(), re.MULTILINE
    )
    told = {name: tuple(re.findall(r"`(\w+)`", labels)) for name, labels in rows}
    assert told == {name: labels for name, (_, labels) in METRICS.items()}


def test_severities_of_the_metrics_are_all_there_are() -> None:
    text = text_of(tally(SYSFS / "groups-of-one"))
    told = {dict(labels)["severity"] for n, labels in series(text) if n == "findings"}
    assert told == {severity.value for severity in Severity}
