"""The exit code says what a script has to know, and errors are one line."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from examples import each
from running import call, document, run
from shared import FIXTURES, SHARED, SYSFS, needs_shared

AFTER = SHARED / "real-kernels" / "6.12" / "after.tar.gz"
HALF, BARE = SYSFS / "half-a-group", SYSFS / "bare-capture"
COMMANDS = ("list", "audit", "predict")


NO_GROUPS = """\
01:00.0 Ethernet controller [0200]: Intel Corporation 82574L [8086:10d3]
\tKernel driver in use: e1000e
"""


@pytest.fixture(scope="module")
def groupless(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The output of ``lspci -nnk``, which shows no groups."""
    text = tmp_path_factory.mktemp("lspci") / "lspci.txt"
    text.write_text(NO_GROUPS)
    return text


@each(
    "words, code",
    [
        (("list",), 3),
        (("audit",), 3),
        (("audit", "01:00.0"), 3),
        (("predict",), 3),
        (("predict", "01:00.0"), 3),
        (("why", "01:00.0"), 3),
        (("whatif", "attach=01:00.0"), 3),
        (("explain",), 0),
    ],
)
def test_where_nothing_can_be_told_every_command_says_so(
    groupless: Path, words: tuple[str, ...], code: int
) -> None:
    """The table of docs/json.md: 3 is "cannot tell", whatever was asked."""
    source = () if words == ("explain",) else ("--from", groupless)
    done = call(*words, *source)
    assert done.returncode == code, done.stdout + done.stderr


def test_predict_cannot_tell_where_no_answer_can_be_told(tmp_path: Path) -> None:
    """A group, and neither its drivers nor the kernel: every answer is unknown."""
    source = tmp_path / "lspci.txt"
    source.write_text(
        "01:00.0 Ethernet controller: Intel Corporation 82574L\n"
        "\tFlags: fast devsel, IOMMU group 3\n"
    )
    for output in ("table", "json"):
        done = call("predict", "--from", source, "--format", output)
        assert done.returncode == 3
        assert "unknown" in done.stdout


KERNEL = FIXTURES / "kernels"


@each(
    "words, code",
    [
        # Reasons for every neighbour, and none needed for a device alone.
        (("why", "03:01.0", "--from", KERNEL / "6.12-bridges-0.tar.gz"), 0),
        (("why", "01:00.0", "--from", KERNEL / "6.12-bridges-0.tar.gz"), 0),
        # Made without root: why they share the group cannot be told.
        (("why", "01:00.0", "--from", KERNEL / "6.12-two-functions-1.tar.gz"), 3),
        (("why", "00:19.0", "--from", HALF), 2),
        (("plan", "00:03.0", "--from", HALF), 0),
        (("plan", "00:01.0", "--from", SYSFS / "host-lives-here"), 1),
        (("whatif", "unbind=00:03.0", "--from", HALF), 0),
        (("whatif", "claim=15", "--from", HALF), 1),
        (("whatif", "nonsense", "--from", HALF), 2),
        (("list", "--from", HALF), 0),
        (("list", "--from", BARE), 0),
        (("list", "--from", SYSFS / "no-iommu-guest"), 0),
        (("predict", "--from", HALF), 0),
        (("predict", "--from", BARE), 0),
        (("explain",), 0),
        (("explain", "mixed-ownership"), 0),
        (("audit", "00:01.0", "--from", HALF), 0),
        (("audit", "group:14", "--from", HALF), 0),
        (("audit", "00:03.0", "--from", HALF), 1),
        (("audit", "group:16", "--from", HALF), 1),
        (("audit", "--from", HALF), 1),
        (("audit", "--from", SYSFS / "acs-override"), 0),
        (("audit", "--strict", "--from", SYSFS / "acs-override"), 1),
        (("audit", "--from", SYSFS / "no-iommu-guest"), 1),
        (("audit", "0001:01:00.0", "--from", SYSFS / "platform-members"), 1),
        (("audit", "00:19.0", "--from", BARE), 3),
        (("audit", "--from", BARE), 3),
        (("audit", "00:03.0", "00:01.0", "--from", HALF), 1),
        (("audit", "00:1c.0", "00:19.0", "--from", SYSFS / "dangling-member"), 3),
        (("--version",), 0),
        (("--help",), 0),
        (("list", "--from"), 2),
        (("list", "--wrong"), 2),
        (("list", "--ownership", "mine", "--from", HALF), 2),
        (("list", "--format", "xml", "--from", HALF), 2),
        (("audit", "00:09.0", "--from", HALF), 2),
        (("predict", "00:09.0", "--from", HALF), 2),
        (("predict", "--semantics", "new", "--from", HALF), 2),
        (("list", "--semantics", "new", "--from", HALF), 2),
        (("audit", "--semantics", "new", "--from", HALF), 2),
        (("audit", "--demo", "--from", HALF), 2),
        (("explain", "no-such-rule"), 2),
        (("frobnicate",), 2),
    ],
)
def test_exit_code(words: tuple[str | Path, ...], code: int) -> None:
    done = call(*words)
    assert done.returncode == code, done.stderr
    assert bool(done.stdout) is (code != 2)


@pytest.mark.parametrize("output", ["table", "json"])
@pytest.mark.parametrize("target", ["00:01.0", "00:03.0", "group:16"])
def test_the_format_does_not_change_the_exit_code(output: str, target: str) -> None:
    plain = call("audit", target, "--from", HALF).returncode
    done = call("audit", target, "--from", HALF, "--format", output)
    assert done.returncode == plain


@needs_shared
def test_a_card_whose_neighbour_blocks_is_blocked_and_the_driver_named() -> None:
    done = call("audit", "0000:03:01.0", "--from", AFTER)
    assert done.returncode == 1
    found = document("audit", "0000:03:01.0", "--from", AFTER)
    assert found["verdict"] == "blocked"
    errors = [f for f in found["findings"] if f["severity"] == "error"]
    assert {f["group"] for f in errors} == {"7"}
    drivers = {
        device["address"]: device["driver"]
        for group in document("list", "-n", "--from", AFTER)["groups"]
        for device in group["devices"]
    }
    for error in errors:
        blocker = error["devices"][0]
        assert blocker != "0000:03:01.0"
        assert drivers[blocker] in error["message"]
        assert blocker in done.stdout
        assert drivers[blocker] in done.stdout
    assert "0000:03:01.0 cannot be handed to user space" in done.stdout


@needs_shared
def test_a_card_alone_on_vfio_is_ready() -> None:
    done = call("audit", "0000:01:00.0", "--from", AFTER)
    assert done.returncode == 0
    assert document("audit", "0000:01:00.0", "--from", AFTER)["verdict"] == "ready"
    assert done.stdout.rstrip().endswith(
        "0000:01:00.0 can be handed to user space now."
    )


def test_what_a_source_cannot_tell_is_unknown() -> None:
    done = call("audit", "00:19.0", "--from", BARE)
    assert done.returncode == 3
    assert document("audit", "00:19.0", "--from", BARE)["verdict"] == "unknown"
    assert "Whether 0000:00:19.0 can be handed to user space cannot be told yet" in (
        " ".join(done.stdout.split())
    )


@needs_shared
@pytest.mark.parametrize("command", COMMANDS)
def test_a_source_without_a_trace_of_groups_cannot_tell(command: str) -> None:
    source = next((SHARED / "ghw").glob("linux-arm64*"))
    done = call(command, "--from", source)
    assert done.returncode == 3
    assert "trace of IOMMU groups" in done.stdout + done.stderr


NO_SOURCES = ["missing", "empty-folder", "empty-file", "noise", "text", "socket"]


@each("command", COMMANDS)
@each("kind", NO_SOURCES)
def test_what_is_no_source_is_one_line_and_exit_4(command: str, kind: str) -> None:
    with tempfile.TemporaryDirectory() as folder:  # short: a socket's path must be
        source = Path(folder) / kind
        match kind:
            case "empty-folder":
                source.mkdir()
            case "empty-file":
                source.touch()
            case "noise":
                source.write_bytes(bytes(range(256)) * 64)
            case "text":
                source.write_text("Group 1 is not viable\n")
            case "socket":
                with socket.socket(socket.AF_UNIX) as listener:
                    listener.bind(str(source))
        done = call(command, "--from", source)
    assert done.returncode == 4
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("iommu-inspect: ")
    assert kind in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_noise_on_standard_input_is_one_line_and_exit_4(command: str) -> None:
    done = call(command, "--from", "-", stdin=b"\x00\xffnoise" * 99)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr.count("\n") == 1


def test_a_hostile_path_is_escaped_in_the_error() -> None:
    done = call("list", "--from", "/no\x1b[31m\nsuch")
    assert done.returncode == 4
    assert done.stderr.count("\n") == 1
    assert "\x1b" not in done.stderr


@pytest.mark.parametrize(
    ("text", "named"),
    [
        ("0000:00:03.7", ["0000:00:03.0", "0000:00:03.1"]),
        ("00:03.7", ["0000:00:03.0"]),
        ("group:1", ["13", "16"]),
        ("group:130", ["13"]),
        ("group:", ["13", "16"]),
    ],
)
@pytest.mark.parametrize("command", ["audit", "predict"])
def test_an_unknown_target_names_the_near_misses(
    command: str, text: str, named: list[str]
) -> None:
    done = call(command, text, "--from", HALF)
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    for name in named:
        assert name in done.stderr


def test_a_fragment_that_fits_several_names_them() -> None:
    done = call("audit", "snd_hda", "--from", HALF)
    assert done.returncode == 1  # it fits one
    done = call("audit", "vfio", "--from", HALF)
    assert done.returncode == 2
    assert "fits 4 devices: 0000:00:01.0 (VGA controller), 0000:00:02.0" in done.stderr


def test_a_hostile_target_is_escaped_in_the_error() -> None:
    done = call("audit", "\x1b]0;pwned\x07\n", "--from", HALF)
    assert done.returncode == 2
    assert "\x1b" not in done.stderr
    assert done.stderr.count("\n") == 1


def test_an_unknown_rule_names_those_that_are_near() -> None:
    done = call("explain", "mixed-ownrship")
    assert done.returncode == 2
    assert "mixed-ownership" in done.stderr
    assert done.stderr.count("\n") == 1


def test_a_reader_that_goes_away_changes_neither_output_nor_exit_code() -> None:
    for words, code in [
        (["audit", "00:03.0", "--notes"], 1),
        (["predict"], 0),
        (["audit", "--format", "json"], 1),
    ]:
        reader, writer = os.pipe()
        os.close(reader)
        done = subprocess.run(
            [sys.executable, "-m", "iommu_inspect", *words, "--from", str(HALF)],
            stdout=writer,
            stderr=subprocess.PIPE,
            text=True,
        )
        os.close(writer)
        assert (done.returncode, done.stderr) == (code, "")


def test_without_standard_output_only_the_exit_code_is_left() -> None:
    script = '"$0" -m iommu_inspect audit 00:03.0 --from "$1" >&-'
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, str(HALF)],
        stderr=subprocess.PIPE,
        text=True,
    )
    assert (done.returncode, done.stderr) == (1, "")


def test_a_closed_standard_input_is_one_line_that_says_what_to_do() -> None:
    script = (
        'for command; do "$0" -m iommu_inspect $command --from - <&-; echo $?; done'
    )
    done = subprocess.run(
        ["sh", "-c", script, sys.executable, *COMMANDS], capture_output=True, text=True
    )
    assert done.stdout.split() == ["4"] * len(COMMANDS)
    assert done.stderr.splitlines() == [
        "iommu-inspect: cannot read standard input: it is closed; pipe the capture "
        "into this command, or name its file in place of -"
    ] * len(COMMANDS)


def test_a_full_disk_is_one_line_and_not_success() -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "iommu_inspect", "list", "-n", "--from", str(HALF)],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
        )
    assert done.returncode == 70
    assert done.stderr == (
        "iommu-inspect: cannot write the result: No space left on device\n"
    )


def test_the_sample_shows_a_real_kernel_where_there_are_no_groups() -> None:
    done = run("audit", "--demo")
    if "this host has no IOMMU groups" not in done.stderr:
        pytest.skip("this host has IOMMU groups, so the sample is not shown")
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    found = document("list", "--demo", "-n")
    assert len(found["groups"]) == 8
    assert found["source"]["kernel"].startswith("6.12.")


def test_no_command_shows_the_help() -> None:
    done = call()
    assert "iommu-inspect [OPTIONS] COMMAND" in done.stdout + done.stderr
    for command in (*COMMANDS, "explain"):
        assert command in done.stdout + done.stderr


@pytest.mark.parametrize("command", [*COMMANDS, "explain"])
@pytest.mark.parametrize("flag", ["-h", "--help"])
def test_every_command_has_help_that_fits(command: str, flag: str) -> None:
    done = call(command, flag)
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: ")
    assert f"iommu-inspect {command} " in done.stdout.splitlines()[0]
    assert "--format" in done.stdout
    assert max(map(len, done.stdout.splitlines())) <= 80
