"""Builds everything twice, installs it where nothing of ours is, and asks it.

Printed is a line for each trial, and at the end how many failed. A trial that cannot be
made has failed: this is no place to skip anything.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

from tools.packages.asking import ask_in_root, compare
from tools.packages.building import ROOT
from tools.packages.installing import (
    deb_in_root,
    pipx_on_host,
    tree_in_root,
    uv_on_host,
    wheel_in_root,
    zipapp_in_root,
)
from tools.packages.others import (
    TOO_OLD,
    interpreters,
    refused_in_root,
    tried_with,
)
from tools.packages.repeating import build_twice, look_at, same_bytes
from tools.packages.roots import PYTHONS, Root
from tools.packages.running import FailedError

__all__ = ["Trials", "try_all"]


class Trials:
    """Runs trials one after the other, and prints how each went."""

    def __init__(self) -> None:
        self.count = 0
        self.failed = 0

    def run(self, what: str, where: str, trial: Callable[[], str]) -> None:
        """Print what a trial says; if it raises FailedError, count it and say why."""
        began = time.monotonic()
        try:
            said, result = trial(), "ok"
        except FailedError as error:
            said, result = str(error), "FAILED"
            self.failed += 1
        self.count += 1
        took = time.monotonic() - began
        print(f"{what:15} {where:11} {result:6} {took:5.1f} s  {said}", flush=True)


def try_all(kept: Path) -> int:
    """Try everything; return the exit code. The artifacts are left in ``kept``.

    Raises:
        FailedError: if nothing can be tried.
    """
    if os.geteuid():
        raise FailedError("root is needed: packages are installed in a folder (chroot)")
    trials = Trials()
    print("everything is built, and built again", flush=True)
    with tempfile.TemporaryDirectory(prefix="iommu-inspect-packages-") as place:
        first, second = build_twice(ROOT, Path(place))
        for kind, path in first.items():
            trials.run(kind, "built", partial(same_bytes, first, second, kind))
            shutil.copy(path, kept)
        look_at(trials.run, first)
        for release in PYTHONS:
            with Root(release, kept / "roots") as root:
                _try_in(root, trials, first, kept)
        with Root(TOO_OLD, kept / "roots") as old:
            trials.run("zipapp", TOO_OLD, lambda: refused_in_root(old, first["zipapp"]))
        for version, python in interpreters().items():
            where = "Python {}.{}".format(*version)
            trial = partial(tried_with, python, version, first["zipapp"])
            trials.run("zipapp", where, trial)
        trials.run("pipx", "this host", lambda: pipx_on_host(first["wheel"]))
        archive = first["source archive"]
        trials.run("pipx, archive", "this host", lambda: pipx_on_host(archive))
        trials.run("uv tool", "this host", lambda: uv_on_host(first["wheel"]))
    print(f"{trials.count} trials, {trials.failed} failed", flush=True)
    return 1 if trials.failed else 0


def _try_in(root: Root, trials: Trials, built: dict[str, Path], kept: Path) -> None:
    expected = ask_in_root(root, tree_in_root(root))
    houses = kept / "wheelhouse"

    def tried(program: str) -> str:
        return compare(ask_in_root(root, program), expected)

    where = root.release
    trials.run("zipapp", where, lambda: tried(zipapp_in_root(root, built["zipapp"])))
    trials.run(
        "wheel, pip", where, lambda: tried(wheel_in_root(root, built["wheel"], houses))
    )
    trials.run("deb, dpkg -i", where, lambda: deb_in_root(root, built["deb"], tried))
