"""Pins what is bundled: the newest of each library that the project allows.

pip resolves what ``pyproject.toml`` asks for and reports the wheel that it would take
of each; the lock has all of them but those that no command of ours imports.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tomllib
from typing import Any

from tools.zipapp.bundled import LOCK, PLATFORM, ROOT, FetchError

__all__ = ["LEFT_OUT", "asked_for", "lock"]

# rich comes with typer, for help in frames; ours is plain text, and rich is 2 MB with
# what it brings. test_zipapp.py runs the help of every command without.
LEFT_OUT = ("markdown-it-py", "mdurl", "pygments", "rich")
_HEAD = """\
# What the zipapp holds beside the package; made by: python -m tools.zipapp --lock
"""


def asked_for() -> list[str]:
    """Return what the project depends on, as it says so."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    asked: list[str] = project["dependencies"]
    return asked


def lock() -> None:
    """Write the lock anew.

    Raises:
        FetchError: if pip finds no set of versions.
    """
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "install", "--quiet", "--dry-run"),
            *("--disable-pip-version-check", "--ignore-installed", *PLATFORM),
            *("--target", str(ROOT / "dist/none"), "--report", "-", *asked_for()),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        raise FetchError(done.stderr.strip())
    taken = json.loads(done.stdout)["install"]
    lines = sorted(filter(None, map(_line, taken)))
    LOCK.write_text(_HEAD + "".join(lines))


def _line(taken: dict[str, Any]) -> str | None:
    name = taken["metadata"]["name"].lower().replace("_", "-")
    if name in LEFT_OUT:
        return None
    version = taken["metadata"]["version"]
    digest = taken["download_info"]["archive_info"]["hashes"]["sha256"]
    return f"{name}=={version} --hash=sha256:{digest}\n"
