"""docs/why.md and the README show what the commands print: the page cannot go stale."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest
from running import run

ROOT = Path(__file__).resolve().parents[2]
_BLOCK = re.compile(r"```\n\$ iommu-inspect ([^\n]*)\n(.*?)```", re.DOTALL)
PAGE = (ROOT / "docs" / "why.md").read_text()
BLOCKS = _BLOCK.findall(PAGE)


def test_the_page_has_the_four_machines() -> None:
    assert len(BLOCKS) == 4
    assert len({command for command, _ in BLOCKS}) == 4


@pytest.mark.parametrize(("command", "shown"), BLOCKS)
def test_the_page_shows_what_the_command_prints(command: str, shown: str) -> None:
    words = shlex.split(command)
    source = words.index("--from") + 1
    words[source] = str(ROOT / words[source])
    done = run(*words)
    assert done.returncode == 0, done.stderr
    assert done.stdout == shown
    assert all(len(line) <= 80 for line in shown.splitlines())


def test_the_tour_shows_what_why_prints() -> None:
    blocks = _BLOCK.findall((ROOT / "docs/tour.md").read_text())
    shown = [(c, text) for c, text in blocks if c.startswith("why ")]
    assert shown
    for command, text in shown:
        assert run(*shlex.split(command), "--demo").stdout == text
