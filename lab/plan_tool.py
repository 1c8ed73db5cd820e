"""The tool, run on what a guest showed: a capture, less some facts, or a text."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatch

from lab.cache import REPOSITORY
from lab.errors import LabError

__all__ = ["Source", "tool", "without"]


@dataclass(frozen=True)
class Source:
    """What ``--from`` gets, and the ending of its file's name."""

    content: bytes
    suffix: str = ".tar.gz"


def without(capture: bytes, lost: Sequence[str]) -> bytes:
    """Return a capture less the members that one of the patterns fits."""
    if not lost:
        return capture
    out = io.BytesIO()
    with (
        tarfile.open(fileobj=io.BytesIO(capture)) as whole,
        tarfile.open(fileobj=out, mode="w:gz") as rest,
    ):
        dropped = 0
        for member in whole:
            if any(fnmatch(member.name, pattern) for pattern in lost):
                dropped += 1
            else:
                content = whole.extractfile(member) if member.isreg() else None
                rest.addfile(member, content)
    if not dropped:
        raise LabError(f"the capture holds nothing of {', '.join(lost)}")
    return out.getvalue()


def tool(source: Source, *words: str) -> tuple[int, str]:
    """Run the tool here; return its exit status and what it printed."""
    with tempfile.NamedTemporaryFile(suffix=source.suffix) as file:
        file.write(source.content)
        file.flush()
        ended = subprocess.run(
            [sys.executable, "-m", "iommu_inspect", *words, "--from", file.name],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if not ended.stdout:
        raise LabError(f"iommu-inspect {' '.join(words)}: {ended.stderr.strip()}")
    return ended.returncode, ended.stdout
