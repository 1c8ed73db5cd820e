"""What reaches a terminal: it fits, it is plain, and it obeys nobody."""

from __future__ import annotations

import os
import pty
import re
import subprocess
import sys
import unicodedata
from collections import Counter
from pathlib import Path

import pytest
from examples import each
from running import call, document, run
from shared import KERNELS, SHARED, SYSFS, needs_shared

from iommu_inspect.rules.registry import RULES

HALF, HOSTILE = SYSFS / "half-a-group", SYSFS / "hostile-names"
TREES = sorted(path for path in SYSFS.iterdir() if path.is_dir())
CAPTURES = [
    SHARED / "real-kernels" / kernel / f"{state}.tar.gz"
    for kernel in KERNELS
    for state in ("before", "after")
]


def name(path: Path) -> str:
    return f"{path.parent.name}-{path.name}"


def assert_fits(text: str, width: int = 80) -> None:
    # Names are whole, however long they are: a mediated device's has 36 characters,
    # and beside that of an operation (predict) it leaves a table no room.
    if text.startswith("GROUP  OPERATION") and any(len(w) >= 36 for w in text.split()):
        return
    for line in text.splitlines():
        # Commands are there to be copied.
        if (
            not line.startswith("      ")
            and max(map(len, line.split()), default=0) < 36
        ):
            assert len(line) <= width, line


def assert_all_outputs_fit(source: Path) -> None:
    for words in (
        ["list"],
        ["list", "-n"],
        ["audit"],
        ["audit", "--notes"],
        ["predict"],
    ):
        done = call(*words, "--from", source)
        assert_fits(done.stdout)
    groups = document("list", "-n", "--from", source)["groups"]
    for group in groups[-2:]:
        assert_fits(call("audit", f"group:{group['id']}", "--from", source).stdout)


@each("source", TREES)
def test_output_on_a_fixture_fits_80_columns(source: Path) -> None:
    assert_all_outputs_fit(source)


@needs_shared
@pytest.mark.parametrize("source", CAPTURES, ids=name)
def test_output_on_a_real_kernel_fits_80_columns(source: Path) -> None:
    assert_all_outputs_fit(source)


@each("rule", ["", *(rule.id for rule in RULES)])
def test_explain_fits_80_columns(rule: str) -> None:
    text = call("explain", *([rule] if rule else [])).stdout
    for line in text.splitlines():
        if "http" not in line:
            assert len(line) <= 80, line


@pytest.mark.parametrize("columns", [40, 60, 100, 200])
def test_tables_use_the_width_there_is(columns: int) -> None:
    text = call("audit", "--from", HALF, columns=columns).stdout
    # Commands are there to be copied, and are not folded.
    prose = "\n".join(x for x in text.splitlines() if not x.startswith("    echo "))
    assert_fits(prose, columns)
    if columns >= 100:
        assert max(len(line) for line in text.splitlines()) > 80


def test_a_narrow_terminal_loses_no_word() -> None:
    _, *wide = call("predict", "--from", HALF, columns=400).stdout.splitlines()
    narrow = call("predict", "--from", HALF, columns=30).stdout
    assert max(map(len, narrow.splitlines())) <= 40  # a name of an operation is longer
    assert not Counter(" ".join(wide).split()) - Counter(narrow.split())


def on_a_terminal(*words: str, **environment: str) -> str:
    """Run with a terminal as standard output and return what it was sent."""
    here, there = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "iommu_inspect", *words],
        stdout=there,
        stderr=subprocess.DEVNULL,
        env={"PATH": "/usr/bin:/bin", "TERM": "xterm", "LC_ALL": "C.UTF-8"}
        | environment,
    )
    os.close(there)
    received = b""
    try:
        while piece := os.read(here, 65536):
            received += piece
    except OSError:  # what Linux answers once the other side is closed
        pass
    process.wait(timeout=30)
    os.close(here)
    return received.decode()


def test_colour_is_for_terminals_only() -> None:
    words = ("audit", "00:03.0", "--from", str(HALF))
    assert "\x1b[3" in on_a_terminal(*words)
    assert "\x1b" not in on_a_terminal(*words, NO_COLOR="1")
    assert "\x1b" not in run(*words).stdout
    forced = {"FORCE_COLOR": "1", "CLICOLOR_FORCE": "1", "TERM": "xterm-256color"}
    assert "\x1b" not in run(*words, environment=forced).stdout


def test_colour_does_not_change_the_words_or_their_columns() -> None:
    words = ("list", "-n", "--from", str(HALF))
    coloured = on_a_terminal(*words, COLUMNS="80").replace("\r\n", "\n")
    assert "\x1b" in coloured
    assert re.sub(r"\x1b\[\d+m", "", coloured) == run(*words).stdout


def control_characters(text: str) -> set[str]:
    return {
        character
        for character in text
        if character != "\n" and unicodedata.category(character)[0] == "C"
    } | (set(text) & {"\u2028", "\u2029", "\u0085"})


HOSTILE_COMMANDS = [
    ["list"],
    ["list", "-n"],
    ["audit"],
    ["audit", "--notes"],
    ["audit", "00:01.0"],
    ["audit", "group:1"],
    ["predict"],
    ["predict", "--semantics", "proposed-single-driver"],
    ["audit", "no such device"],
    ["audit", "0000:00:01"],
    ["audit", "i"],
    ["list", "--driver", "none"],
]


@each("output", ["table", "json"])
@each("words", HOSTILE_COMMANDS)
def test_no_control_character_of_a_source_is_printed(
    words: list[str], output: str
) -> None:
    done = call(*words, "--from", HOSTILE, "--format", output)
    assert done.stdout or done.stderr
    assert control_characters(done.stdout + done.stderr) == set()
    for line in done.stderr.splitlines():  # no name began one of its own
        assert line.startswith("iommu-inspect: ")


def test_json_keeps_names_as_they_are() -> None:
    found = document("list", "-n", "--from", HOSTILE)["groups"][0]
    assert [d["address"] for d in found["devices"]][-1] == "new\nline"
    assert found["devices"][1]["driver"] == "evil\x1b[2J\u202edriver"


def test_the_table_keeps_one_line_a_device_whatever_its_name() -> None:
    lines = call("list", "-n", "--from", HOSTILE, columns=200).stdout.splitlines()
    assert len(lines) == 5
    assert "new\\x0aline" in lines[-1]


def test_bytes_that_are_no_utf_8_are_printed_escaped(tmp_path: Path) -> None:
    import shutil

    shutil.copytree(SYSFS / "acs-override", tmp_path / "tree", symlinks=True)
    (tmp_path / "tree/proc/cmdline").write_bytes(b"pcie_acs_override=\xff\xfe")
    (tmp_path / "tree/sys/kernel/iommu_groups/11/type").write_bytes(b"DMA\xff")
    text = call("audit", "--from", tmp_path / "tree").stdout
    assert "pcie_acs_override=\\xff\\xfe" in text
    found = document("list", "--from", tmp_path / "tree")
    assert found["groups"][0]["type"] == "DMA\\xff"


def test_audit_ends_in_one_sentence() -> None:
    for source in TREES:
        text = call("audit", "--from", source).stdout.rstrip()
        advice = document("audit", "--from", source)["advice"]
        last = text.rsplit("\n\n", 1)[-1]
        lines = [line for line in last.splitlines() if not line.startswith("(")]
        assert " ".join(lines).endswith((".", *advice["steps"][-1:])), source
        assert len(" ".join(lines)) < 640


def test_notes_are_counted_and_shown_when_asked_for() -> None:
    plain = call("audit", "--from", HALF).stdout
    hidden = re.search(r"\((\d+) notes? more: --notes", plain)
    assert hidden is not None
    notes = call("audit", "--from", HALF, "--notes", "--verbose").stdout
    assert notes.count("\ninfo: ") == int(hidden[1])
    assert "info: " not in plain


def test_nothing_is_called_fine_while_there_are_warnings() -> None:
    """A host whose isolation is made up is not one with which nothing is wrong."""
    for tree in ("acs-override", "interrupts-unsafe", "override-pending"):
        text = call("audit", "--from", SYSFS / tree).stdout
        assert "warning: " in text
        assert "Nothing is wrong" not in text


# list


def addresses(*words: str, source: Path = HALF) -> list[str]:
    found = document("list", "-n", *words, "--from", source)
    grouped = [d["address"] for g in found["groups"] for d in g["devices"]]
    return grouped + [d["address"] for d in found["ungrouped"]]


@pytest.mark.parametrize(
    ("words", "groups"),
    [
        (("--group", "15"), ["15"]),
        (("--ownership", "conflict"), ["15"]),
        (("--ownership", "none"), ["16"]),
        (("--ownership", "user"), ["13", "14"]),
        (("--driver", "snd_hda_intel"), ["15"]),
        (("--driver", "snd"), []),
        (("--class", "0403"), ["13", "14", "15"]),
        (("--class", "audio"), ["13", "14", "15"]),
        (("--class", "0x02"), ["16"]),
        (("--device", "00:03.1"), ["15"]),
        (("--device", "0000:00:02"), ["14"]),
        (("--class", "audio", "--ownership", "user"), ["13", "14"]),
    ],
)
def test_list_filters(words: tuple[str, ...], groups: list[str]) -> None:
    found = document("list", "-n", *words, "--from", HALF)
    assert [group["id"] for group in found["groups"]] == groups


def test_a_filter_shows_the_whole_group_because_it_has_one_owner() -> None:
    assert addresses("--device", "00:03.1") == ["0000:00:03.0", "0000:00:03.1"]


def test_filters_on_groups_leave_ungrouped_devices_out() -> None:
    source = SYSFS / "platform-members"
    assert addresses("--driver", "nvme", source=source) == ["0001:01:00.0"]
    assert addresses("--group", "1", source=source) == ["axi:gpu", "107c580000.hvs"]


def test_a_filter_that_nothing_fits_says_so() -> None:
    done = call("list", "--driver", "snd", "--from", HALF)
    assert (done.returncode, done.stdout) == (0, "")
    assert "no device fits" in done.stderr


@pytest.mark.parametrize(
    ("words", "near"),
    [(("--group", "99"), "near are 16"), (("--device", "00:03.7"), "0000:00:03.1")],
)
def test_a_filter_on_what_does_not_exist_names_the_near_misses(
    words: tuple[str, ...], near: str
) -> None:
    done = call("list", *words, "--from", HALF)
    assert (done.returncode, done.stdout) == (2, "")
    assert near in done.stderr


def test_predict_shows_only_the_targets_asked_for() -> None:
    found = document("predict", "00:03.0", "--from", HALF)["predictions"]
    assert {p["target"] for p in found} == {"0000:00:03.0", "15"}
    found = document("predict", "group:13", "--from", HALF)["predictions"]
    assert {p["target"] for p in found} == {"0000:00:01.0", "0000:00:01.1", "13"}


def test_predict_says_when_it_does_not_know_the_kernel() -> None:
    assert "--semantics" in call("predict", "--from", SYSFS / "bare-capture").stderr
    assert call("predict", "--from", HALF).stderr == ""


def test_who_uses_a_device_is_shown_by_list_and_by_audit() -> None:
    source = ("--from", SYSFS / "in-use")
    shown = call("list", *source).stdout
    for line in (
        "in use: display: HDMI-A-1",
        "in use: usb: keyboard, mouse, storage",
        "in use: mdev: 83b8f4f2-509f-482f-9c1e-e6bfe0fa1001",
        "in use: nvme0n1p1: /",
    ):
        assert f"                 {line}\n" in shown
    found = " ".join(call("audit", "00:01.0", *source).stdout.split())
    assert (
        "the screen on HDMI-A-1. When its driver lets go of it, the host loses that. "
        "Xorg (1234) and gnome-shell (1300) have 0000:00:01.0 open: taking its driver "
        "off hangs until they have closed it."
    ) in found
    found = " ".join(call("audit", "00:03.0", *source).stdout.split())
    assert "carries the mediated device 83b8f4f2-509f-482f-9c1e-e6bfe0fa1001" in found
