"""What is asked for is resolved once, whatever it is called, by every command alike."""

from __future__ import annotations

import pytest
from running import call, document
from shared import SYSFS

HALF = SYSFS / "half-a-group"
VMD = SYSFS / "old-kernel-vmd"


def test_two_spellings_of_a_device_are_one_target() -> None:
    once, twice = (
        document("audit", *words, "--from", HALF)
        for words in (["00:04.0"], ["00:04.0", "0000:00:04.0"])
    )
    assert twice == once
    assert len(twice["targets"]) == 1
    assert (
        call("plan", "00:04.0", "0000:00:04.0", "--from", HALF).stdout
        == call("plan", "00:04.0", "--from", HALF).stdout
    )
    explained = document("why", "00:04.0", "0000:00:04.0", "--from", HALF)
    assert explained == document("why", "00:04.0", "--from", HALF)


def test_a_group_and_a_member_of_it_are_two_targets() -> None:
    asked = document("audit", "group:16", "00:04.0", "--from", HALF)
    assert [target["target"] for target in asked["targets"]] == ["group:16", "00:04.0"]


@pytest.mark.parametrize("text", ["e1:00.0", "10000:e1:00.0"])
def test_list_finds_a_short_address_in_any_domain_as_other_commands_do(
    text: str,
) -> None:
    shown = document("list", "--device", text, "--from", VMD)
    asked = document("audit", text, "--from", VMD)
    members = [d["address"] for g in shown["groups"] for d in g["devices"]]
    assert asked["targets"][0]["address"] in members


def test_near_misses_are_the_same_for_every_command() -> None:
    said = {
        call(command, *words, "--from", HALF).stderr
        for command, words in [
            ("list", ["--device", "00:04.7"]),
            ("audit", ["00:04.7"]),
            ("predict", ["00:04.7"]),
            ("why", ["00:04.7"]),
            ("plan", ["00:04.7"]),
        ]
    }
    assert len(said) == 1
    assert "near are 0000:00:0" in said.pop()
