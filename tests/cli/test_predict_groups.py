"""``list --predict-groups``: what is said, where it ends, what a program reads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from documents import validate
from examples import each
from running import call, document
from shared import FIXTURES

BOARD = FIXTURES / "texts" / "board-without-iommu.txt"

REGISTERS = "".join(
    line for line in BOARD.read_text().splitlines(keepends=True) if "\tACSC" in line
)


def words(text: str) -> str:
    return " ".join(text.split())


def members(found: dict[str, Any]) -> list[list[str]]:
    return [[d["address"][5:] for d in g["devices"]] for g in found["groups"]]


def spoilt(tmp_path: Path, old: str, new: str) -> Path:
    text = BOARD.read_text()
    assert old in text
    path = tmp_path / "lspci.txt"
    path.write_text(text.replace(old, new))
    return path


def test_a_board_with_its_iommu_off_shows_the_groups_that_it_would_have() -> None:
    found = validate("list", "--predict-groups", "--from", BOARD)
    assert members(found) == [
        ["00:00.0"],
        ["00:01.0"],
        ["00:1c.0", "02:00.0", "03:03.0", "04:00.0"],
        ["01:00.0", "01:00.1"],
    ]
    assert [g["id"] for g in found["groups"]] == ["0", "1", "2", "3"]
    assert {g["predicted"] for g in found["groups"]} == {True}
    assert {g["certainty"] for g in found["groups"]} == {"certain"}
    assert found["ungrouped"] == found["prediction"]["undecided"] == []
    done = call("list", "--predict-groups", "--from", BOARD)
    assert done.returncode == 0
    assert done.stdout.count(" predicted ") == 4
    assert "supposed that an IOMMU translates" in words(done.stdout)
    assert "trace of IOMMU groups" not in done.stderr
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_without_the_option_nothing_is_predicted() -> None:
    found = validate("list", "--from", BOARD)
    assert found["prediction"] is None
    assert found["groups"] == []
    assert call("list", "--from", BOARD).returncode == 3


@each(
    "old, new, ungrouped, look, as_root",
    [
        # What lspci -v lists without registers is enough.
        (REGISTERS, "", [], None, None),
        (
            "\tCapabilities: [40] Express (v2) Root Port (Slot+), MSI 00\n"
            "\tCapabilities: [100 v1] Advanced Error Reporting\n"
            "\tCapabilities: [220",
            "\tCapabilities: <access denied>\n\tIgnored: [220",
            ["00:01.0", "01:00.0", "01:00.1"],
            "lspci -vvvnn -s 0000:00:01.0",
            True,
        ),
        (
            "01:00.0 VGA compatible controller [0300]: NVIDIA Corporation Device "
            "[10de:2504] (rev a1) (prog-if 00 [VGA controller])",
            "01:00.0 VGA compatible controller: Somebody's card",
            ["01:00.0", "01:00.1"],
            "lspci -nn -s 0000:01:00.0",
            False,
        ),
    ],
)
def test_what_is_missing_is_named_with_the_command_that_shows_it(
    tmp_path: Path,
    old: str,
    new: str,
    ungrouped: list[str],
    look: str | None,
    as_root: bool | None,
) -> None:
    source = spoilt(tmp_path, old, new)
    found = validate("list", "--predict-groups", "--from", source)
    assert [d["address"][5:] for d in found["ungrouped"]] == ungrouped
    assert found["prediction"]["look"] == look
    assert found["prediction"]["look_as_root"] == as_root
    done = call("list", "--predict-groups", "--from", source)
    assert done.returncode == (3 if ungrouped else 0)
    if look:
        assert f"\n    {look}\n" in done.stdout
        assert ("as root" in done.stdout) is as_root
        assert "sudo" not in done.stdout


def test_a_text_of_an_ordinary_user_predicts_little_and_nothing_wrong(
    tmp_path: Path,
) -> None:
    source = tmp_path / "lspci.txt"
    lines = BOARD.read_text().splitlines()
    kept = [x for x in lines if not x.lstrip().startswith(("Capabilities", "ACS"))]
    denied = "\n".join(
        f"{x}\n\tCapabilities: <access denied>" if "Status:" in x else x for x in kept
    )
    source.write_text(f"{denied}\n")
    found = document("list", "--predict-groups", "--from", source)
    assert members(found) == [["00:00.0"]]
    assert "lspci -vvvnn" in call("list", "--predict-groups", "--from", source).stdout


def test_groups_that_may_lack_members_are_marked(tmp_path: Path) -> None:
    source = spoilt(tmp_path, "00:00.0 Host bridge", "00:02.0 Host bridge")
    found = validate("list", "--predict-groups", "--from", source)
    assert {g["certainty"] for g in found["groups"]} == {"partial"}
    assert found["prediction"]["complete"] is False
    done = call("list", "--predict-groups", "--from", source)
    assert "0 predicted?" in done.stdout
    assert done.returncode == 3


def test_groups_of_a_kernel_are_shown_as_they_are() -> None:
    source = FIXTURES / "kernels" / "6.12-reference-2.tar.gz"
    found = validate("list", "--predict-groups", "--from", source)
    plain = validate("list", "--from", source)
    assert found["groups"] == plain["groups"]
    assert {g["certainty"] for g in plain["groups"]} == {"kernel"}
    assert {g["predicted"] for g in plain["groups"]} == {False}
    assert found["prediction"]["predicted"] is False
    done = call("list", "--predict-groups", "--from", source)
    assert "Nothing is predicted" in done.stdout
    assert done.returncode == 0


def test_an_override_is_shown_as_what_it_is(tmp_path: Path) -> None:
    line = (
        "BOOT_IMAGE=/vmlinuz root=/dev/sda1 pcie_acs_override=downstream,multifunction"
    )
    source = tmp_path / "paste.txt"
    source.write_text(f"$ cat /proc/cmdline\n{line}\n\n$ lspci\n{BOARD.read_text()}")
    done = call("list", "--predict-groups", "--from", source)
    said = words(done.stdout)
    assert "pcie_acs_override=downstream,multifunction" in said
    assert "shows smaller groups than these. They are not isolation." in said
    found = validate("list", "--predict-groups", "--from", source)
    assert len(found["groups"]) == 4
    assert found["prediction"]["acs_override"].startswith("pcie_acs_override=")


def test_filters_choose_among_predicted_groups() -> None:
    done = call("list", "--predict-groups", "--group", "3", "--from", BOARD)
    assert "0000:01:00.0" in done.stdout
    assert "0000:04:00.0" not in done.stdout
    none = call("list", "--predict-groups", "--group", "9", "--from", BOARD)
    assert none.returncode == 2
