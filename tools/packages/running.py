"""Runs a program, and says all that it said if it fails."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

__all__ = ["FailedError", "run"]


class FailedError(Exception):
    """A program ended with another status than it should, or made something wrong."""


def run(
    words: Sequence[str | Path],
    folder: Path | None = None,
    *,
    more: Mapping[str, str] | None = None,
    umask: int = 0o022,
    codes: Sequence[int] = (0,),
) -> bytes:
    """Return what a program writes to standard output.

    ``more`` is added to the environment, from which what would change a build is gone.

    Raises:
        FailedError: if its exit code is none of ``codes``, or there is no such program.
    """
    gone = ("PYTHONPATH", "SOURCE_DATE_EPOCH", "PYTHONDONTWRITEBYTECODE")
    kept = {name: text for name, text in os.environ.items() if name not in gone}
    try:
        done = subprocess.run(
            list(map(str, words)),
            cwd=folder,
            env={**kept, **(more or {})},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            umask=umask,
        )
    except FileNotFoundError as error:
        raise FailedError(f"there is no {error.filename}") from error
    if done.returncode not in codes:
        said = (done.stdout + done.stderr).decode(errors="replace").strip()
        shown = " ".join(map(str, words))
        raise FailedError(f"{shown}: exit code {done.returncode}\n{said}")
    return done.stdout
