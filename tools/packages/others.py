"""Runs the zipapp with the other interpreters of this machine, and with one too old.

Those are looked for by their names (``python3.12``) and where pyenv keeps them.
"""

from __future__ import annotations

import re
import shutil
import sys
import tomllib
from pathlib import Path

from tools.packages.asking import ask_on_host, compare
from tools.packages.building import ROOT
from tools.packages.roots import Root
from tools.packages.running import FailedError, run

__all__ = ["TOO_OLD", "floor", "interpreters", "refused_in_root", "tried_with"]

# A release of Debian with an interpreter below the floor: 3.9.
TOO_OLD = "bullseye"
_OLDEST, _NEWEST = 6, 20
_REFUSAL = re.compile(rb"iommu-inspect: cannot go on: it needs Python [^\n]*\n")


def floor() -> tuple[int, int]:
    """Return the version that the project needs at least."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    first, second = project["requires-python"].removeprefix(">=").split(".")
    return int(first), int(second)


def interpreters() -> dict[tuple[int, int], Path]:
    """Return the interpreters that there are, by version: 3.6 and newer."""
    found: dict[tuple[int, int], Path] = {}
    for path in sorted(Path.home().glob(".pyenv/versions/3.*/bin/python3")):
        found[3, int(path.parts[-3].split(".")[1])] = path
    for minor in range(_OLDEST, _NEWEST):
        if there := shutil.which(f"python3.{minor}"):
            found.setdefault((3, minor), Path(there))
    return {version: found[version] for version in sorted(found)}


def tried_with(python: Path, version: tuple[int, int], zipapp: Path) -> str:
    """Have an interpreter run the file: it answers as the tree, or says what it needs.

    Raises:
        FailedError: if it does neither.
    """
    if version < floor():
        script = '"$1" -I "$2" --version 2>&1'
        said = run(["sh", "-c", script, "sh", python, zipapp], codes=(4,))
        return _refusal(said)
    tree = {"PYTHONPATH": str(ROOT)}
    expected = ask_on_host(sys.executable, "-m", "iommu_inspect", more=tree)
    return compare(ask_on_host(python, "-I", "-S", zipapp), expected)


def refused_in_root(root: Root, zipapp: Path) -> str:
    """Have the root's own interpreter refuse the file.

    Raises:
        FailedError: if it says anything else than what it needs.
    """
    root.put(zipapp, "/srv")
    return _refusal(root.call(f"./{zipapp.name} --version 2>&1", codes=(4,)))


def _refusal(said: bytes) -> str:
    if not _REFUSAL.fullmatch(said):
        raise FailedError(f"it says {said!r}")
    return "says in one line what it needs"
