"""Snapshots made and opened in memory."""

from __future__ import annotations

import io
import tarfile

from iommu_inspect.sources.snapshot.making import take
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.snapshot import Manifest
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["members", "opened", "snapshot"]


def snapshot(
    tree: Tree, level: str = "default", *, privileged: bool | None = None
) -> bytes:
    said = Manifest("1", level, privileged=privileged)
    return b"".join(take(tree, said).pieces())


def opened(tar: bytes) -> Tree:
    return open_path("-", io.BytesIO(tar))


def members(tar: bytes) -> dict[str, bytes]:
    """Return what each member holds: its bytes, or where its link leads."""
    with tarfile.open(fileobj=io.BytesIO(tar)) as archive:
        found = {}
        for member in archive:
            file = archive.extractfile(member) if member.isreg() else None
            link = member.linkname.encode("utf-8", "surrogateescape")
            found[member.name] = file.read() if file else link
        return found
