"""The tool against what real kernels answered, without QEMU: the lab's own captures."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from examples import each
from running import call, document
from shared import FIXTURES

KERNELS = FIXTURES / "kernels"
CAPTURES = sorted(path.name[:-5] for path in KERNELS.glob("*.json"))


def manifest(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((KERNELS / f"{name}.json").read_text())
    return found


def capture(name: str) -> Path:
    return KERNELS / f"{name}.tar.gz"


def test_four_kernels_are_covered_and_the_fixtures_stay_small() -> None:
    kernels = {name.partition("-")[0] for name in CAPTURES}
    assert {"5.10", "6.1", "6.12", "7.3"} <= kernels
    assert all(capture(name).is_file() for name in CAPTURES)
    assert sum(path.stat().st_size for path in KERNELS.iterdir()) < 400_000
    readers = {manifest(name)["privileged"] for name in CAPTURES}
    assert readers == {True, False}


@each("name", CAPTURES)
def test_list_shows_the_groups_and_drivers_that_the_kernel_has(name: str) -> None:
    wanted = manifest(name)
    shown = document("list", "--from", capture(name))
    assert shown["source"]["kernel"] == wanted["kernel"]
    groups = {g["id"]: [d["address"] for d in g["devices"]] for g in shown["groups"]}
    assert groups == wanted["groups"]
    devices = [d for g in shown["groups"] for d in g["devices"]] + shown["ungrouped"]
    assert {d["address"]: d["driver"] for d in devices} == wanted["drivers"]


@each("name", CAPTURES)
def test_ownership_is_what_the_kernel_counts(name: str) -> None:
    wanted = manifest(name)["claimed"]
    shown = document("list", "--from", capture(name))
    counted = {
        g["id"]: g["ownership"] in ("kernel", "conflict") for g in shown["groups"]
    }
    assert {group: counted[group] for group in wanted} == wanted


@each("name", CAPTURES)
def test_predict_gives_every_answer_of_the_kernel(name: str) -> None:
    wanted = {(op, target): result for op, target, result in manifest(name)["answers"]}
    shown = document("predict", "--from", capture(name))
    found = {(p["operation"], p["target"]): p["result"] for p in shown["predictions"]}
    assert len(wanted) > 10
    assert {key: found.get(key) for key in wanted} == wanted


@each("name", [name for name in CAPTURES if manifest(name)["steps"]])
def test_whatif_answers_the_next_steps_as_the_kernel_did(name: str) -> None:
    wanted = manifest(name)["steps"]
    steps = [step for steps, _ in wanted for step in steps]
    done = call("whatif", *steps, "--from", capture(name), "--format", "json")
    results = [step["result"] for step in json.loads(done.stdout)["steps"]]
    for own, answer in wanted:
        mine, results = results[: len(own)], results[len(own) :]
        assert mine[-1] == answer, own
