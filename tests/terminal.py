"""Runs the program as a person sees it: on a terminal of some size."""

from __future__ import annotations

import fcntl
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Mapping
from pathlib import Path

from running import watched

__all__ = ["on_terminal"]


def on_terminal(
    *arguments: str | Path,
    columns: int = 80,
    lines: int = 50,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run ``iommu-inspect`` on a terminal; return all that the terminal gets."""
    ours, its = pty.openpty()
    fcntl.ioctl(its, termios.TIOCSWINSZ, struct.pack("HHHH", lines, columns, 0, 0))
    settings = termios.tcgetattr(its)
    settings[1] &= ~termios.OPOST  # or each line would end in two characters
    termios.tcsetattr(its, termios.TCSANOW, settings)
    running = subprocess.Popen(
        [sys.executable, "-m", "iommu_inspect", *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        stdout=its,
        stderr=subprocess.DEVNULL,
        env={
            "PATH": "/usr/bin:/bin",
            "LC_ALL": "C.UTF-8",
            "TERM": "xterm",
            **watched(),
            **(environment or {}),
        },
    )
    os.close(its)
    parts = []
    while True:
        try:
            part = os.read(ours, 65536)
        except OSError:  # nobody has the other end any more
            break
        if not part:
            break
        parts.append(part)
    os.close(ours)
    running.wait(60)
    return b"".join(parts).decode()
