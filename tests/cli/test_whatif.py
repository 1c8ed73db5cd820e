"""``whatif`` as its users run it."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
from running import call, run
from shared import KERNELS, SHARED, SYSFS, needs_shared

DEMO = resources.files("iommu_inspect").joinpath("demo.tar.gz")


def document(*words: str) -> dict[str, Any]:
    done = run("whatif", *words, "--from", str(DEMO), "--format", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    file = resources.files("iommu_inspect").joinpath("schemas/whatif-1.json")
    jsonschema.Draft202012Validator(json.loads(file.read_text())).validate(found)
    return found


def test_steps_state_and_predictions_are_in_the_document() -> None:
    found = document("unbind=03:02.0", "claim=7", "bind=03:02.0,e1000")
    assert [s["result"] for s in found["steps"]] == ["0", "0", "-EBUSY"]
    ownership = {group["id"]: group["ownership"] for group in found["groups"]}
    assert ownership["7"] == "user"
    claim = {
        p["target"]: p["result"]
        for p in found["predictions"]
        if p["operation"] == "iommu_group_claim_dma_owner"
    }
    assert claim["7"] == "-EPERM"


def test_after_a_crash_there_is_no_state() -> None:
    steps = ("unbind=03:02.0", "claim=7", "bind=03:02.0,e1000")
    found = document(*steps, "--semantics", "5.10")
    assert found["steps"][-1]["result"] == "host-crash"
    assert found["groups"] == found["predictions"] == []


@pytest.mark.parametrize(
    ("steps", "code"),
    [
        (["unbind=03:02.0"], 0),
        (["claim=7"], 1),
        (["bind=03:02.0"], 2),
        (["claim=99"], 2),
        (["unbind=03:02.0", "claim=7", "--semantics", "6.4"], 0),
        (["sriov=01:00.0,2"], 1),
    ],
)
def test_the_exit_code_is_that_of_the_worst_step(steps: list[str], code: int) -> None:
    done = run("whatif", *steps, "--from", str(DEMO))
    assert done.returncode == code
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("step", ["bind=03:02.0", "fly=1", "claim=99", "unbind=zz"])
def test_a_bad_step_is_one_line_on_standard_error(step: str) -> None:
    done = run("whatif", step, "--from", str(DEMO))
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1


def test_the_text_shows_what_changed_and_fits_80_columns() -> None:
    done = run("whatif", "unbind=03:02.0", "hotplug=00:02.0", "--from", str(DEMO))
    assert "conflict" in done.stdout
    assert all(len(line) <= 80 for line in done.stdout.splitlines())


@needs_shared
@pytest.mark.parametrize("kernel", KERNELS)
def test_binding_what_was_bound_later_leads_to_the_state_that_was_captured(
    kernel: str,
) -> None:
    """The captures: at boot, and after two devices were given to vfio-pci."""
    before = str(SHARED / "real-kernels" / kernel / "before.tar.gz")
    after = str(SHARED / "real-kernels" / kernel / "after.tar.gz")
    steps = [
        word
        for device in ("0000:01:00.0", "0000:03:01.0")
        for word in (f"unbind={device}", f"bind={device},vfio-pci")
    ]
    # vfio's modules were loaded between the two captures, so SET_IOMMU may differ.
    done = run("whatif", *steps, "--from", before, "--format", "json")
    assert [s["result"] for s in json.loads(done.stdout)["steps"]] == ["0"] * 4
    real = json.loads(run("predict", "--from", after, "--format", "json").stdout)

    def answers(document: dict[str, Any]) -> dict[tuple[str, str], str]:
        return {
            (p["operation"], p["target"]): p["result"]
            for p in document["predictions"]
            if p["operation"] != "VFIO_SET_IOMMU"
        }

    assert answers(json.loads(done.stdout)) == answers(real)


def test_the_findings_before_and_after_are_those_of_audit() -> None:
    found = document("unbind=03:02.0")

    def errors(findings: list[dict[str, Any]]) -> list[str]:
        return [f["rule"] for f in findings if f["severity"] == "error"]

    assert errors(found["findings_before"]) == ["mixed-ownership"]
    assert errors(found["findings_after"]) == []
    audited = run("audit", "group:7", "--from", str(DEMO), "--format", "json")
    assert found["findings_before"] == json.loads(audited.stdout)["findings"]


def test_the_table_shows_findings_that_go_come_and_errors_that_stay() -> None:
    gone = run("whatif", "unbind=03:02.0", "--from", str(DEMO)).stdout
    assert "mixed-ownership  7      error   -" in gone
    tree = SYSFS / "host-lives-here"
    stays = run("whatif", "unbind=00:01.0", "--from", str(tree)).stdout
    assert "host-loss        1      error   error" in stays


def test_a_host_that_crashed_has_no_findings_left() -> None:
    steps = ("unbind=03:02.0", "claim=7", "bind=03:02.0,e1000")
    found = document(*steps, "--semantics", "5.10")
    assert found["findings_before"]
    assert found["findings_after"] == []


def test_steps_before_one_on_what_is_gone_keep_their_rows() -> None:
    found = document("unplug=03:02.0", "unbind=03:02.0")
    assert [s["result"] for s in found["steps"]] == ["0", "-ENODEV"]
    assert found["steps"][1]["because"] == "it is gone: no such device"
    done = run("whatif", "unplug=03:02.0", "unbind=09:09.1", "--from", str(DEMO))
    assert done.returncode == 2
    assert not done.stdout


def test_what_goes_with_a_driver_and_what_the_host_loses_is_said() -> None:
    steps = ("unbind=00:01.0", "unbind=00:03.0", "unbind=00:04.0")
    source = ("--from", str(SYSFS / "in-use"))
    found = json.loads(call("whatif", *steps, *source, "--format", "json").stdout)
    assert found["vanished"] == ["83b8f4f2-509f-482f-9c1e-e6bfe0fa1001"]
    kinds = [loss["kind"] for loss in found["losses"]]
    assert kinds[0] == "file system" and "display" in kinds
    text = " ".join(call("whatif", *steps, *source).stdout.split())
    assert "Gone with its driver: 83b8f4f2-509f-482f-9c1e-e6bfe0fa1001." in text
    assert "The host loses the file system / (on nvme0n1p1)" in text
    assert "The host loses" not in call("whatif", "override=00:04.0", *source).stdout
