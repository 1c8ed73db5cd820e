"""What is asked for is resolved once, whatever it is called, by every command alike."""

from __future__ import annotations

import pytest
from running import call, document
from shared import SYSFS

HALF = SYSFS / "half-a-group"
LIVED_ON = SYSFS / "host-lives-here"
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


def test_bare_digits_are_no_device_for_any_command() -> None:
    for command, words in [
        ("list", ["--device", "7"]),
        ("audit", ["7"]),
        ("predict", ["7"]),
        ("why", ["7"]),
        ("plan", ["7"]),
        ("whatif", ["unbind=7"]),
    ]:
        done = call(command, *words, "--from", LIVED_ON)
        assert (done.returncode, done.stdout) == (2, ""), command
        assert "a group is asked for as group:7" in done.stderr, command


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("eth0", ["0000:00:04.0"]),
        ("bond0", ["0000:00:04.0", "0000:00:05.0"]),
        ("md0", ["0000:00:02.0", "0000:00:03.0"]),
        ("nvme0n1p2", ["0000:00:01.0"]),
        ("dm-0", ["0000:00:01.0"]),
        ("00:01", ["0000:00:01.0", "0000:00:01.1"]),
        ("pci_0000_00_0c_0", ["0000:00:0c.0"]),
    ],
)
def test_every_command_takes_interfaces_disks_and_slots(
    text: str, wanted: list[str]
) -> None:
    asked = document("audit", text, "--from", LIVED_ON)
    assert [target["address"] for target in asked["targets"]] == wanted
    planned = document("plan", text, "--from", LIVED_ON)
    assert [target["address"] for target in planned["targets"]] == wanted
    predicted = document("predict", text, "--from", LIVED_ON)["predictions"]
    assert set(wanted) <= {entry["target"] for entry in predicted}
    explained = document("why", text, "--from", LIVED_ON)
    assert explained["address"] == wanted[0]


def test_a_step_is_about_one_device_however_it_is_named() -> None:
    there = ("--from", LIVED_ON)
    done = document("whatif", "unbind=eth3", "claim=0000:00:0c", *there)
    assert [step["group"] for step in done["steps"]] == ["12", "12"]
    several = call("whatif", "unbind=bond0", *there)
    assert several.returncode == 2
    assert (
        "'unbind=bond0' wants one device, and 'bond0' names 2: 0000:00:04.0, "
        "0000:00:05.0; a step for each" in several.stderr
    )
    several = call("whatif", "claim=bond0", *there)
    assert "names devices of more than one group" in several.stderr
    group = call("whatif", "unbind=group:4", *there)
    assert "wants a device, not a group" in group.stderr


def test_the_advice_repeats_a_slot_once() -> None:
    said = call("audit", "00:01", "--from", LIVED_ON).stdout
    assert "00:01 00:01" not in said
