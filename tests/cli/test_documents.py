"""Every JSON document is one that its schema describes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from documents import validate, validator
from examples import each
from running import document
from shared import FIXTURES, KERNELS, SHARED, SYSFS, needs_shared

TREES = sorted(path for path in SYSFS.iterdir() if path.is_dir())
COMMANDS = ("list", "audit", "predict")


@each("command", COMMANDS)
@each("tree", TREES)
def test_documents_about_fixtures_are_valid(tree: Path, command: str) -> None:
    found = validate(command, "--from", tree)
    assert found["source"]["kind"] == "tree"
    assert found["source"]["name"] == str(tree)


@each("capture", sorted((FIXTURES / "kernels").glob("*.tar.gz")))
def test_documents_about_the_labs_kernels_are_valid(capture: Path) -> None:
    found = validate("predict", "--from", capture)
    asked = {each["group"] for each in found["predictions"] if each["group"]}
    if asked:
        validate("whatif", f"claim={min(asked)}", "--from", capture)
    compared = document("predict", "--compare", "5.10,6.12,7.3", "--from", capture)
    validator("comparison").validate(compared)


@needs_shared
@pytest.mark.parametrize("kernel", KERNELS)
@pytest.mark.parametrize("command", COMMANDS)
def test_documents_about_real_kernels_are_valid(kernel: str, command: str) -> None:
    for state in ("before", "after"):
        tar = SHARED / "real-kernels" / kernel / f"{state}.tar.gz"
        found = validate(command, "--from", tar)
        assert found["source"]["kernel"].startswith(f"{kernel}.")


@needs_shared
@pytest.mark.parametrize("command", COMMANDS)
def test_a_document_about_a_source_without_groups_is_valid(command: str) -> None:
    validate(command, "--from", next((SHARED / "ghw").glob("linux-arm64*")))


@pytest.mark.parametrize("command", COMMANDS)
def test_a_document_about_this_host_is_valid(command: str) -> None:
    assert validate(command)["source"]["kind"] == "live"


@pytest.mark.parametrize(
    "targets", [("00:01.0",), ("group:13",), ("00:03.0", "00:01.1")]
)
def test_documents_about_targets_are_valid(targets: tuple[str, ...]) -> None:
    source = ("--from", SYSFS / "half-a-group")
    found = validate("audit", *targets, *source)
    assert [target["target"] for target in found["targets"]] == list(targets)
    validate("predict", *targets, *source)


def test_a_document_says_what_the_host_uses_each_device_for() -> None:
    found = validate("list", "--from", SYSFS / "host-lives-here")
    devices = [d for g in found["groups"] for d in g["devices"]]
    used = {d["address"]: d["uses"] for d in devices}
    assert used["0000:00:02.0"] == [
        {
            "kind": "file system",
            "what": ["/srv"],
            "via": "md0",
            "ends": False,  # the other half of the mirror has it too
            "text": "md0: /srv",
        }
    ]
    assert used["0000:00:0b.0"][0]["ends"] is True
    assert used["0000:00:07.0"] == []
    assert found["uses_unplaced"] == []
    assert found["uses_missing"]["process"] == "absent"


@each(
    "tree, address",
    [("no-iommu-firmware", "00:02.0"), ("dpdk-drivers", "00:08.0")],
)
def test_a_plan_for_a_device_without_a_group_is_valid(tree: str, address: str) -> None:
    plan = validate("plan", address, "--for", "dpdk", "--from", SYSFS / tree)
    assert [member["group"] for member in plan["members"]] == [None]


def test_documents_about_rules_are_valid() -> None:
    assert len(validate("explain")["rules"]) >= 12
    assert len(validate("explain", "no-iommu")["rules"]) == 1


@pytest.mark.parametrize(
    ("command", "spoil"),
    [
        ("list", lambda d: d["groups"][0].update(id=13)),
        ("list", lambda d: d["groups"][0].update(ownership="mine")),
        ("list", lambda d: d["groups"][0]["devices"][0].pop("driver")),
        ("audit", lambda d: d.update(verdict="fine")),
        ("audit", lambda d: d["findings"][0].pop("devices")),
        ("predict", lambda d: d["predictions"][0].pop("result")),
        ("predict", lambda d: d["predictions"][0].update(operation="open")),
        ("predict", lambda d: d.pop("source")),
    ],
)
def test_the_schemas_refuse_what_breaks_the_contract(
    command: str, spoil: Callable[[dict[str, Any]], object]
) -> None:
    found = document(command, "--from", SYSFS / "half-a-group")
    spoil(found)
    assert not validator(command).is_valid(found)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_schemas_let_fields_be_added(command: str) -> None:
    """Version 1 may grow, and old schemas must not refuse what is new."""
    found = document(command, "--from", SYSFS / "half-a-group")
    found["something_new"] = 1
    found["source"]["something_new"] = 1
    assert validator(command).is_valid(found)


def test_the_same_source_gives_the_same_bytes() -> None:
    from running import call

    for command in COMMANDS:
        words = (command, "--from", SYSFS / "half-a-group", "--format", "json")
        assert call(*words).stdout == call(*words).stdout
