"""Mermaid's own parser takes what `graph` draws (``make mermaid`` installs it)."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest
from running import call
from shared import FIXTURES, SHARED

CHECK = Path(__file__).resolve().parents[2] / "tools/mermaid"
SOURCES = [
    *sorted((FIXTURES / "kernels").glob("*.tar.gz"))[::12],
    *sorted(path for path in (FIXTURES / "sysfs").iterdir() if path.is_dir()),
    *sorted((SHARED / "hwloc").glob("*.tar.bz2")),
]


def test_mermaid_takes_every_picture(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None or not (CHECK / "node_modules/mermaid").is_dir():
        pytest.skip("Mermaid is not installed: make mermaid")
    for number, source in enumerate(SOURCES):
        drawn = call("graph", "--from", source, "--format", "mermaid")
        (tmp_path / f"{number}.mmd").write_text(drawn.stdout)
    (tmp_path / "wrong.mmd").write_text("flowchart LR\n  a[")
    files = sorted(tmp_path.glob("*.mmd"))
    done = subprocess.run(
        [node, str(CHECK / "check.mjs"), *map(str, files)],
        capture_output=True,
        text=True,
        timeout=300,
    )
    lines = done.stdout.splitlines()
    refused = [line for line in lines if line.startswith("refused")]
    assert len(lines) == len(SOURCES) + 1, done.stderr
    assert len(refused) == 1, refused
    assert "wrong.mmd" in refused[0]
    assert {line.split()[0] for line in lines} == {"flowchart-v2", "refused"}
