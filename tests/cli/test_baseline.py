"""``audit --baseline`` as its users run it."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import jsonschema
from running import call
from shared import SYSFS

HALF = SYSFS / "half-a-group"
SCHEMA = json.loads(
    resources.files("iommu_inspect").joinpath("schemas/audit-1.json").read_text()
)


def test_an_audit_against_itself_is_nothing_new(tmp_path: Path) -> None:
    for targets in ((), ("00:01.0",), ("group:14",)):
        asked = ("audit", *targets, "--from", HALF)
        first = call(*asked, "--format", "json")
        file = tmp_path / "old.json"
        file.write_text(first.stdout)
        for baseline in (file, HALF):
            done = call(*asked, "--baseline", baseline)
            assert done.returncode == 0, done.stdout
            assert f"Nothing is new since {baseline}." in " ".join(done.stdout.split())
            assert "known from the baseline" in done.stdout
            found = json.loads(
                call(*asked, "--baseline", baseline, "--format", "json").stdout
            )
            jsonschema.Draft202012Validator(SCHEMA).validate(found)
            assert found["findings"] == []
            assert found["baseline"]["verdict"] == "ready"
            assert found["baseline"]["gone"] == []
            assert found["verdict"] == json.loads(first.stdout)["verdict"]
        assert call(*asked).returncode == first.returncode


def test_an_audit_of_other_targets_is_no_baseline(tmp_path: Path) -> None:
    file = tmp_path / "old.json"
    file.write_text(call("audit", "--from", HALF, "--format", "json").stdout)
    done = call("audit", "00:01.0", "--from", HALF, "--baseline", file)
    assert done.returncode == 2
    assert "is an audit of a whole host" in done.stderr


def test_a_baseline_that_cannot_be_read_is_a_source_that_cannot_be_read() -> None:
    done = call("audit", "--from", HALF, "--baseline", SYSFS / "none")
    assert done.returncode == 4
    assert call("audit", "--from", "-", "--baseline", "-").returncode == 2
