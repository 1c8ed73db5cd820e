"""What shells offer when somebody presses Tab."""

from __future__ import annotations

import os
import pty
import select
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest
from running import call
from shared import FIXTURES

from iommu_inspect.cli.completion.offering import offers
from iommu_inspect.cli.completion.scripts import SCRIPTS
from iommu_inspect.cli.main import COMMANDS

POST = str(FIXTURES / "texts/forum-post.txt")


def words(*before: str) -> list[str]:
    return [word for word, _ in offers(before)]


def test_commands_are_offered_with_what_they_do() -> None:
    assert words("") == [*COMMANDS, "--version"]
    assert all(about.endswith(".") for _, about in offers([""]))
    assert words("wh") == ["whatif", "why"]
    assert words("nonesuch", "") == []


def test_options_and_their_values_are_offered() -> None:
    assert words("audit", "--fo") == ["--for", "--format"]
    assert words("predict", "--format", "") == ["table", "json"]
    others = ["sarif", "junit", "metrics", "nagios", "nfd"]
    assert words("audit", "--format", "") == ["table", "json", *others]
    assert words("audit", "--format=js") == ["--format=json"]
    assert words("list", "--ownership", "c") == ["conflict"]
    assert words("list", "--columns", "group,dr") == ["group,driver"]
    assert "6.6" in words("predict", "--compare", "5.19,")[:6] or "5.19,6.6" in words(
        "predict", "--compare", "5.19,"
    )


def test_what_a_file_is_named_is_left_to_the_shell() -> None:
    assert words("audit", "--from", "") == []
    assert words("snapshot", "") == []


@pytest.mark.parametrize(
    ("before", "wanted"),
    [
        (("audit", "--from", POST, "01"), ["01:00.0", "01:00.1"]),
        (("audit", f"--from={POST}", "0000:01"), ["0000:01:00.0", "0000:01:00.1"]),
        (("plan", "--from", POST, "gr"), ["group:1"]),
        (("list", "--from", POST, "--group", ""), ["1"]),
        (("list", "--from", POST, "--driver", ""), ["snd_hda_intel", "vfio-pci"]),
        (("whatif", "--from", POST, "unb"), ["unbind="]),
        (
            ("whatif", "--from", POST, "unbind=01:"),
            ["unbind=01:00.0", "unbind=01:00.1"],
        ),
        (("whatif", "--from", POST, "bind=01:00.1,v"), ["bind=01:00.1,vfio-pci"]),
        (("whatif", "--from", POST, "claim=1,"), ["claim=1,iommufd"]),
        (("whatif", "--from", POST, "unbind=01:00.1,"), []),
        (("explain", "mixed"), ["mixed-ownership"]),
    ],
    ids=lambda each: each[-1] if isinstance(each, tuple) else "",
)
def test_what_a_source_has_is_offered(
    before: tuple[str, ...], wanted: list[str]
) -> None:
    assert words(*before) == wanted


def test_a_source_that_cannot_be_read_offers_nothing() -> None:
    assert words("audit", "--from", "/nonesuch", "0") == []


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_there_is_a_script_for_each_shell(shell: str) -> None:
    assert call("completion", shell).stdout == f"{SCRIPTS[shell]}\n"


START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}
LOAD = {
    "bash": "PS1='> '; source {script}\r",
    "zsh": "PS1='> '; autoload -Uz compinit; compinit -u -D; source {script}\r",
    "fish": "function fish_prompt; echo '> '; end; source {script}\r",
}


@pytest.mark.parametrize("shell", sorted(SCRIPTS))
def test_tab_completes_in_a_terminal(tmp_path: Path, shell: str) -> None:
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"{shell} is not installed")
    folder = tmp_path / "bin"
    folder.mkdir()
    ours = folder / "iommu-inspect"
    ours.write_text(f'#!/bin/sh\nexec {sys.executable} -m iommu_inspect "$@"\n')
    ours.chmod(0o755)
    script = tmp_path / f"iommu-inspect.{shell}"
    script.write_text(SCRIPTS[shell])
    terminal, its = pty.openpty()
    running = subprocess.Popen(
        ["setsid", "--ctty", program, *START[shell]],
        stdin=its,
        stdout=its,
        stderr=its,
        env={
            **os.environ,
            "PATH": f"{folder}:/usr/bin:/bin",
            "HOME": str(tmp_path),
            "TERM": "xterm",
            "COLUMNS": "200",
        },
    )
    os.close(its)
    try:
        _type(terminal, LOAD[shell].format(script=script))
        _type(terminal, f"iommu-inspect why --from {POST} 01:00.1")
        for begun, whole in (
            ("\x15iommu-inspect expl\t", "explain"),
            ("\x15iommu-inspect explain mixed-o\t", "mixed-ownership"),
            (f"\x15iommu-inspect plan --from {POST} group:\t", "group:1"),
            (f"\x15iommu-inspect whatif --from {POST} bind=01:00.1,v\t", ",vfio-pci"),
        ):
            assert whole in _type(terminal, begun, until=whole), (begun, whole)
    finally:
        running.kill()
        running.wait()
        os.close(terminal)


def _type(terminal: int, keys: str, until: str = "", patience: float = 20.0) -> str:
    """Type keys; return what the terminal shows of it, until a text is there."""
    os.write(terminal, keys.encode())
    shown, ends = "", time.monotonic() + (patience if until else 1.5)
    while time.monotonic() < ends and not (until and until in shown):
        ready, _, _ = select.select([terminal], [], [], 0.2)
        if ready:
            shown += os.read(terminal, 65536).decode(errors="replace")
    return shown
