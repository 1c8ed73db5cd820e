"""Runs the program as its users do: as a process, with a clean environment."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path


def run(
    *arguments: str | Path,
    stdin: bytes | None = None,
    columns: int = 80,
    environment: Mapping[str, str] | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run ``iommu-inspect`` with ``arguments``; output is text."""
    done = subprocess.run(
        [sys.executable, "-m", "iommu_inspect", *map(str, arguments)],
        input=stdin if stdin is not None else b"",
        capture_output=True,
        timeout=60,
        env={
            "PATH": "/usr/bin:/bin",
            "COLUMNS": str(columns),
            "LC_ALL": "C.UTF-8",
            **(environment or {}),
        },
    )
    return subprocess.CompletedProcess(
        done.args, done.returncode, done.stdout.decode(), done.stderr.decode()
    )
