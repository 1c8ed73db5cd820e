"""``predict --compare`` as its users run it."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
from running import call, document
from shared import FIXTURES

DEMO = str(resources.files("iommu_inspect").joinpath("demo.tar.gz"))
RULES = ("5.10", "6.12", "proposed-single-driver")


def comparison(*words: str) -> dict[str, Any]:
    done = call("predict", *words, "--from", DEMO, "--format", "json")
    found: dict[str, Any] = json.loads(done.stdout)
    file = resources.files("iommu_inspect").joinpath("schemas/comparison-1.json")
    jsonschema.Draft202012Validator(json.loads(file.read_text())).validate(found)
    return found


def test_the_answers_that_differ_are_those_of_predict_one_by_one() -> None:
    expected: dict[tuple[str, str], list[str]] = {}
    for rules in RULES:
        found = document("predict", "--from", DEMO, "--semantics", rules)
        for each in found["predictions"]:
            key = (each["operation"], each["target"])
            expected.setdefault(key, []).append(each["result"])
    different = {
        key: results
        for key, results in expected.items()
        if len(set(results) - {"n/a"}) > 1
    }
    assert len(different) == 9
    found = comparison("--compare", ",".join(RULES))
    assert found["answers"] == len(expected)
    assert {
        (each["operation"], each["target"]): [a["result"] for a in each["answers"]]
        for each in found["differences"]
    } == different
    for each in found["differences"]:
        assert [answer["semantics"] for answer in each["answers"]] == list(RULES)


def test_a_call_that_a_kernel_lacks_is_no_difference_but_is_said() -> None:
    text = call("predict", "--from", DEMO, "--compare", "5.10,6.12", "01:00.0").stdout
    assert text == (
        "All 6 answers are the same under 5.10 and 6.12.\n\n"
        "(iommu_group_claim_dma_owner does not exist in 5.10.)\n"
    )


def test_the_single_driver_rule_is_compared_device_by_device() -> None:
    done = call("predict", "--from", DEMO, "--compare", ",".join(RULES), "03:02.0")
    assert done.returncode == 0
    text = " ".join(done.stdout.split())
    assert "iommu_attach_device 0000:03:02.0 5.10, 6.12 -EINVAL the group" in text
    assert "proposed-single-driver -EBUSY 0000:03:02.0 is bound to e1000" in text
    assert "0000:03:01.0" not in text


@pytest.mark.parametrize("columns", [60, 80, 200])
def test_the_text_keeps_to_the_width(columns: int) -> None:
    command = ("predict", "--from", DEMO, "--compare", ",".join(RULES))
    lines = call(*command, columns=columns).stdout.splitlines()
    assert max(map(len, lines)) <= columns


def test_auto_stands_for_the_kernel_of_the_source() -> None:
    found = comparison("--compare", "5.10, auto")
    assert found["compared"][0]["semantics"] == "5.10"
    assert found["compared"][1]["semantics"] == found["source"]["kernel"]


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--compare", "5.10"), "two or more"),
        (("--compare", "5.10,5.10,"), "two or more"),
        (("--compare", "5.10,nix"), "'nix' is no kernel release"),
        (("--compare", "5.10,6.12", "--semantics", "6.1"), "exclude each other"),
    ],
)
def test_what_cannot_be_compared_is_a_usage_error(
    words: tuple[str, ...], says: str
) -> None:
    done = call("predict", "--from", DEMO, *words)
    assert done.returncode == 2
    assert says in done.stderr
    assert not done.stdout


def test_calls_that_the_same_kernels_lack_are_told_of_together() -> None:
    capture = FIXTURES / "kernels" / "7.3-own-two-functions-1.tar.gz"
    done = call("predict", "--compare", "6.1,7.3", "--from", capture)
    said = " ".join(done.stdout.split())
    assert (
        "(VFIO_GROUP_SET_CONTAINER(iommufd), VFIO_GROUP_GET_DEVICE_FD(iommufd), "
        "VFIO_DEVICE_BIND_IOMMUFD and VFIO_DEVICE_ATTACH_IOMMUFD_PT do not exist in "
        "6.1.)"
    ) in said
