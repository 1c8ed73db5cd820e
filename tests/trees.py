"""Trees of a few files, written where a test needs them."""

from __future__ import annotations

import tarfile
from collections.abc import Mapping
from pathlib import Path

from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.tree import Tree

PCI = "sys/devices/pci0000:00"
ONE, TWO = f"{PCI}/0000:00:01.0", f"{PCI}/0000:00:02.0"
# A link to itself: what is there and cannot be read, whoever looks.
UNREADABLE = "->loop"

Spec = Mapping[str, str]


def unpack(archive: tarfile.TarFile, folder: Path) -> None:
    """Unpack an archive of ours, whose links may lead anywhere.

    Newer Pythons want to be told that, and 3.11.2 of Debian 12 cannot be.
    """
    if hasattr(tarfile, "tar_filter"):
        archive.extractall(folder, filter="tar")
    else:
        archive.extractall(folder)


def tree(root: Path, spec: Spec) -> Tree:
    """Build a tree: ``->path`` is a link, a name that ends in ``/`` a folder."""
    (root / "sys").mkdir(parents=True, exist_ok=True)
    for name, what in spec.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith("/"):
            path.mkdir(exist_ok=True)
        elif what == UNREADABLE:
            path.symlink_to(path.name)
        elif what.startswith("->"):
            path.symlink_to(f"/{what[2:]}")
        else:
            path.write_text(what)
    return open_path(str(root))
