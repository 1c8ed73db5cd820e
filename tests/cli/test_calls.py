"""System calls a function of a running host: what it costs, without any noise.

The figures are those of docs/benchmarks.md, with room for a kernel's own ways.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from watch import watching

from bench.beside import calls_a_function, inside

FEW, MANY = 20, 60


def _can_count() -> bool:
    if os.geteuid() or not shutil.which("strace"):
        return False
    done = subprocess.run(
        inside(Path("/sys"), ["strace", "-qq", "-c", "true"]),
        capture_output=True,
        timeout=60,
    )
    return done.returncode == 0


@pytest.mark.no_cover
@pytest.mark.parametrize(("command", "most"), [("list", 31), ("audit", 58)])
def test_a_function_costs_few_system_calls(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str, most: int
) -> None:
    monkeypatch.delenv(watching.RECORD, raising=False)  # to watch takes calls, too
    if not _can_count():
        pytest.skip("needs root, strace, and a mount namespace of its own")
    assert calls_a_function(command, tmp_path, FEW, MANY) <= most
