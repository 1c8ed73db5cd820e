"""A host that lives on its devices, to be changed: ``host-lives-here`` and its uses."""

from __future__ import annotations

import shutil
from pathlib import Path

from shared import SYSFS

from iommu_inspect.model.uses.host import Host, HostUse, UseKind
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path


def copied(tmp_path: Path) -> Path:
    """Copy the host of the fixtures' README."""
    where = tmp_path / "host"
    return Path(shutil.copytree(SYSFS / "host-lives-here", where, symlinks=True))


def host(path: Path) -> Host:
    return read_machine(open_path(str(path))).host


def on(path: Path, kind: UseKind, what: str) -> HostUse:
    (use,) = [u for u in host(path).uses if u.kind is kind and what in u.what]
    return use


def mount(tree: Path, line: str) -> None:
    with (tree / "proc/1/mountinfo").open("a") as file:
        file.write(line + "\n")
