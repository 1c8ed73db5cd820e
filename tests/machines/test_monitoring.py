"""Alerts and the dashboard ask for what we print, and explain themselves."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from examples import each

from iommu_inspect.audit.summary import Possible
from iommu_inspect.audit.tally import SPOKEN
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.render.machines.metrics import METRICS
from iommu_inspect.rules.finding import Certainty, Severity
from iommu_inspect.verdict.outcome import Verdict
from iommu_inspect.verdict.unseen import Fact

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy" / "monitoring"
RULES = DEPLOY / "iommu-inspect.rules.yml"
TESTS = DEPLOY / "iommu-inspect.rules.test.yml"
DASHBOARD = json.loads((DEPLOY / "iommu-inspect.dashboard.json").read_text())
PAGE = (ROOT / "docs" / "monitoring.md").read_text()
# What Prometheus adds, and what node_exporter prints of its own.
ADDED = {"instance", "job"}
OTHERS = {"node_textfile_scrape_error"}
VALUES: dict[str, set[str]] = {
    "ownership": {each.value for each in Ownership},
    "possible": {each.value for each in Possible},
    "verdict": {each.value for each in Verdict},
    "severity": {each.value for each in Severity},
    "certainty": {each.value for each in Certainty},
    "fact": {each.value for each in Fact},
    "class": set(SPOKEN),
}
METRIC = re.compile(r"\b((?:iommu_inspect|node)_\w+)(?:\{([^}]*)\})?")
MATCHER = re.compile(r'(\w+)(=~|=)"([^"]*)"')
needs_promtool = pytest.mark.skipif(
    shutil.which("promtool") is None, reason="install prometheus"
)


def alerts() -> list[dict[str, Any]]:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


def queries() -> Iterator[tuple[str, str]]:
    """Yield each query, and what is shown of its labels."""
    for alert in alerts():
        yield alert["expr"], " ".join(alert["annotations"].values())
    for panel in DASHBOARD["panels"]:
        for target in panel["targets"]:
            yield target["expr"], target["legendFormat"]


QUERIES = list(queries())


@each("query, shown", QUERIES)
def test_a_query_asks_for_metrics_and_labels_that_there_are(
    query: str, shown: str
) -> None:
    metrics = METRIC.findall(query)
    assert metrics, query
    known = set(ADDED)
    for name, inside in metrics:
        if name in OTHERS:
            continue
        labels = set(METRICS[name.removeprefix("iommu_inspect_")][1])
        known |= labels
        for label, operator, value in MATCHER.findall(inside):
            assert label in labels | ADDED, (name, label)
            if operator == "=":
                assert value in VALUES[label], (label, value)
    for words in re.findall(r"\b(?:by|on) \(([^)]*)\)", query):
        assert {word.strip() for word in words.split(",")} <= known
    for label in re.findall(r"\{\{(?: \$labels\.)?(\w+) ?\}\}", shown):
        assert label in known, label


def test_words_of_alerts_name_metrics_that_there_are() -> None:
    for alert in alerts():
        for words in alert["annotations"].values():
            for name, _ in METRIC.findall(words):
                if name.startswith("iommu_inspect_"):
                    assert name.removeprefix("iommu_inspect_") in METRICS


def test_every_alert_has_a_runbook_and_a_test() -> None:
    headings = re.findall(r"^#+ (\w+)$", PAGE, re.MULTILINE)
    tested = TESTS.read_text()
    for alert in alerts():
        page, _, anchor = alert["annotations"]["runbook"].partition("#")
        assert page == "docs/monitoring.md"
        assert anchor == alert["alert"].lower()
        assert alert["alert"] in headings
        assert f"alertname: {alert['alert']}\n        exp_alerts:" in tested
        assert alert["labels"]["severity"] in ("critical", "warning")


@needs_promtool
def test_promtool_takes_the_alerts_and_their_tests_pass() -> None:
    for word, file in (("check", RULES), ("test", TESTS)):
        done = subprocess.run(
            ["promtool", word, "rules", file], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


@needs_promtool
def test_promtool_reads_every_query_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"r{number}", "expr": query.replace("$", "")}
        for number, (query, _) in enumerate(QUERIES)
    ]
    file = tmp_path / "rules.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "x", "rules": rules}]}))
    done = subprocess.run(
        ["promtool", "check", "rules", file], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_dashboard_is_one_that_grafana_can_lay_out() -> None:
    assert DASHBOARD["title"]
    assert re.fullmatch(r"[a-z-]{1,40}", DASHBOARD["uid"])
    assert DASHBOARD["schemaVersion"] >= 36
    panels = DASHBOARD["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    taken: set[tuple[int, int]] = set()
    for panel in panels:
        assert panel["title"]
        place = panel["gridPos"]
        assert place["x"] + place["w"] <= 24
        cells = {
            (x, y)
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        }
        assert not cells & taken, panel["title"]
        taken |= cells
        assert panel["datasource"]["uid"] == "${datasource}"
        assert all(t["datasource"] == panel["datasource"] for t in panel["targets"])
    names = [each["name"] for each in DASHBOARD["templating"]["list"]]
    assert names == ["datasource", "job", "instance"]


def test_what_cannot_be_told_has_a_place_on_the_dashboard() -> None:
    asked = " ".join(query for query, _ in QUERIES)
    for name in ("source_readable", "groups_known", "unseen", "ignored_findings"):
        assert f"iommu_inspect_{name}" in asked
    assert 'verdict="unknown"' in asked
