"""Builds twice in ways that should not matter, and compares every byte."""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tools.packages.building import build_all, build_wheel
from tools.packages.running import FailedError, run

__all__ = ["build_twice", "look_at", "same_bytes"]

_NOT_COPIED = shutil.ignore_patterns(
    *(".git", ".venv", "dist", ".lab-cache", "__pycache__", ".mutants", ".*_cache"),
    *("node_modules", ".hypothesis", "fuzz-found"),
)
# A day on which files were changed: not today.
_ANOTHER_DAY = 1_000_000_000


def build_twice(source: Path, place: Path) -> tuple[dict[str, Path], dict[str, Path]]:
    """Build the tree, and a copy elsewhere with other dates, under another umask.

    Raises:
        FailedError: if something cannot be built.
    """
    copy = place / "a copy/of it"
    shutil.copytree(source, copy, symlinks=True, ignore=_NOT_COPIED)
    (copy / "dist").mkdir()
    for path in copy.rglob("*"):
        if not path.is_symlink():
            os.utime(path, (_ANOTHER_DAY, _ANOTHER_DAY))
    first = build_all(source, place / "first")
    second = build_all(copy, place / "second", umask=0o077)
    # The others are of the source archive.
    first["wheel of tree"] = build_wheel(source, place / "tree")
    second["wheel of tree"] = first["wheel"]
    return first, second


def same_bytes(first: dict[str, Path], second: dict[str, Path], kind: str) -> str:
    """Return the size and the beginning of the hash of what was built twice.

    Raises:
        FailedError: if its bytes differ.
    """
    one, other = (each[kind].read_bytes() for each in (first, second))
    if one != other:
        raise FailedError(f"{first[kind].name}: two builds differ")
    digest = hashlib.sha256(one).hexdigest()
    size = f"{len(one) / 1000:.0f} kB"
    return f"{size}, the same bytes again, sha256 {digest[:12]}"


def look_at(
    trial: Callable[[str, str, Callable[[], str]], None], built: dict[str, Path]
) -> None:
    """Have twine read the metadata, and lintian the Debian package."""

    def twine() -> str:
        checked = (built["wheel"], built["source archive"])
        run([sys.executable, "-m", "twine", "check", "--strict", *checked])
        return "twine check --strict"

    def lintian() -> str:
        levels = "pedantic,info,warning,error"
        options = ("--pedantic", "--display-info", f"--fail-on={levels}")
        said = run(["lintian", "--allow-root", *options, built["deb"]]).decode()
        if said.strip():
            raise FailedError(said)
        return "lintian --pedantic has nothing to say"

    trial("metadata", "read", twine)
    trial("deb", "read", lintian)
