"""The tool's answers against those of kernels that were booted and asked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from running import document
from shared import KERNELS, SHARED, needs_shared

ERRNO = {0: "0", 1: "-EPERM", 16: "-EBUSY", 22: "-EINVAL"}


def captures(kernel: str) -> Path:
    return SHARED / "real-kernels" / kernel


def answers_of(kernel: str) -> list[dict[str, str]]:
    lines = (captures(kernel) / "answers.txt").read_text().splitlines()
    answers = []
    for line in lines:
        truth, kind, *pairs = line.split()
        assert truth == "TRUTH"
        answers.append({"kind": kind, **dict(pair.split("=") for pair in pairs)})
    return answers


def predictions(kernel: str, state: str) -> dict[tuple[str, str], str]:
    tar = captures(kernel) / f"{state}.tar.gz"
    shown = document("predict", "--from", tar)
    return {(p["operation"], p["target"]): p["result"] for p in shown["predictions"]}


def groups_of(kernel: str, state: str) -> dict[str, str]:
    tar = captures(kernel) / f"{state}.tar.gz"
    shown = document("list", "--from", tar)
    return {d["address"]: g["id"] for g in shown["groups"] for d in g["devices"]}


def expected(
    answer: dict[str, str], groups: dict[str, str]
) -> dict[tuple[str, str], str]:
    """Translate one line of a kernel's answers to what predict has to say."""
    match answer["kind"]:
        case "attach":
            result = ERRNO[-int(answer["ret"])]
            return {("iommu_attach_device", answer["dev"]): result}
        case "attach-claim":
            result = ERRNO[-int(answer["ret"])]
            return {("iommu_group_claim_dma_owner", groups[answer["dev"]]): result}
        case "viable":
            assert answer["open"] == "0"
            group = answer["group"]
            found = {
                ("VFIO_GROUP_GET_STATUS", group): "viable"
                if answer["viable"] == "1"
                else "not-viable",
                ("VFIO_GROUP_SET_CONTAINER", group): ERRNO[
                    -int(answer["set_container"])
                ],
            }
            if answer["set_iommu"] != "--1":  # not asked
                found["VFIO_SET_IOMMU", group] = ERRNO[-int(answer["set_iommu"])]
            return found
        case "bind":
            return {}
        case kind:
            raise AssertionError(f"no such kind of answer: {kind}")


@needs_shared
@pytest.mark.parametrize("kernel", KERNELS)
def test_predict_agrees_with_every_answer_of_the_kernel(kernel: str) -> None:
    groups = groups_of(kernel, "after")
    predicted = predictions(kernel, "after")
    answers = answers_of(kernel)
    wanted = {k: v for answer in answers for k, v in expected(answer, groups).items()}
    assert len(wanted) >= 18
    assert {key: predicted[key] for key in wanted} == wanted


@needs_shared
@pytest.mark.parametrize("kernel", KERNELS)
def test_attach_is_the_same_before_anything_was_bound_to_vfio(kernel: str) -> None:
    """Groups do not change with the driver, and the singleton rule asks only them."""
    groups = groups_of(kernel, "before")
    predicted = predictions(kernel, "before")
    attach = [answer for answer in answers_of(kernel) if answer["kind"] == "attach"]
    wanted = {k: v for answer in attach for k, v in expected(answer, groups).items()}
    assert wanted
    assert {key: predicted[key] for key in wanted} == wanted


@needs_shared
@pytest.mark.parametrize("kernel", KERNELS)
def test_claims_before_differ_only_where_the_binding_did(kernel: str) -> None:
    before, after = predictions(kernel, "before"), predictions(kernel, "after")
    claim = "iommu_group_claim_dma_owner"
    changed = {k for k in before if k[0] == claim and before[k] != after[k]}
    if kernel == "5.10":
        assert not changed
        assert {before[k] for k in before if k[0] == claim} == {"n/a"}
    else:
        # e1000e of group 6 gave way to vfio-pci; group 7 still has e1000.
        assert changed == {(claim, "6")}
        assert before[claim, "6"] == "-EPERM"


@needs_shared
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("state", ["before", "after"])
def test_every_group_reports_its_own_kernel(kernel: str, state: str) -> None:
    tar = captures(kernel) / f"{state}.tar.gz"
    shown = document("list", "--from", tar)
    assert re.match(re.escape(kernel), shown["source"]["kernel"])
    assert [g["id"] for g in shown["groups"]] == [str(n) for n in range(8)]
