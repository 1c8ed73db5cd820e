"""What takes longer than a second says so on a terminal, and leaves nothing behind."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from iommu_inspect.cli.progress import bar

SLOW = """
import os, sys, time
from iommu_inspect.cli.output import complain
from iommu_inspect.cli.progress import telling
with telling(lambda: "reading slowly"):
    time.sleep(float(sys.argv[1]))
    if os.fork() == 0:  # copies of the process draw nothing
        time.sleep(float(sys.argv[1]) / 3)
        os._exit(0)
    os.wait()
    complain("note: a word between")
complain("done")
"""
ROOT = Path(__file__).resolve().parents[2]


def shown(seconds: float) -> str:
    """Return what a terminal gets on standard error."""
    ours, its = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(seconds)],
        stderr=its,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )
    os.close(its)
    parts = []
    while True:
        try:
            part = os.read(ours, 4096)
        except OSError:
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    assert running.wait(60) == 0
    return b"".join(parts).decode()


def test_what_is_slow_is_told_and_taken_away_again() -> None:
    text = shown(1.5)
    assert "\r\x1b[Kiommu-inspect: reading slowly, 1 s" in text
    assert "reading slowly, 0 s" not in text
    before, _, after = text.partition("note: a word between")
    assert before.endswith("\r\x1b[Kiommu-inspect: ")
    assert after.endswith("iommu-inspect: done\r\n")


def test_what_is_quick_is_not_told() -> None:
    assert "reading slowly" not in shown(0.05)


@pytest.mark.parametrize("seconds", [1.3])
def test_who_does_not_look_at_a_terminal_is_told_nothing(seconds: float) -> None:
    done = subprocess.run(
        [sys.executable, "-c", SLOW, str(seconds)],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        timeout=60,
    )
    assert done.stderr == "iommu-inspect: note: a word between\niommu-inspect: done\n"


def test_a_bar_shows_how_much_is_done() -> None:
    assert bar(0, 3) == "[--------------------] 0 of 3"
    assert bar(512, 1000) == "[##########----------] 512 of 1000"
    assert bar(3, 3) == "[####################] 3 of 3"
    assert bar(0, 0) == "[####################] 0 of 0"
