"""A host that changes while it is read: one state before some operation, one after."""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from faults.failing import Recorded

from iommu_inspect.model.fact import Fact
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.sources.tree.tree import Kind, Tree

__all__ = ["ChangingTree", "neither", "removed", "unbound"]

_UNKNOWN = "unknown"


class ChangingTree(Tree):
    """A tree that is another one from operation ``at`` on."""

    def __init__(self, before: Recorded, after: Recorded, at: int) -> None:
        super().__init__(before.label, live=before.live)
        self._states = (before, after)
        self._at = at
        self.whole, self.hot, self.kind = before.whole, before.hot, before.kind
        self.made = 0

    def _now(self) -> Recorded:
        self.made += 1
        return self._states[self.made > self._at]

    def node(self, path: str) -> Fact[NodeAccess]:
        return self._now().node(path)

    def _kind(self, path: str) -> Fact[Kind]:
        return self._now()._kind(path)

    def _link(self, path: str) -> Fact[str]:
        return self._now()._link(path)

    def _names(self, path: str) -> Fact[Iterable[str]]:
        return self._now()._names(path)

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        return self._now()._content(path, limit)


def unbound(source: Path, to: Path, address: str) -> Path:
    """Copy a capture, with a device's driver taken off."""
    shutil.copytree(source, to, symlinks=True)
    device = _directory(to, address)
    (device / "driver").unlink()
    shutil.rmtree(device / "vfio-dev", ignore_errors=True)
    for link in to.glob(f"sys/bus/*/drivers/*/{address}"):
        link.unlink()
    return to


def removed(source: Path, to: Path, address: str) -> Path:
    """Copy a capture, with a device unplugged that has none below it."""
    shutil.copytree(source, to, symlinks=True)
    shutil.rmtree(_directory(to, address))
    for pattern in (
        "bus/*/drivers/*",
        "bus/*/devices",
        "kernel/iommu_groups/*/devices",
    ):
        for link in to.glob(f"sys/{pattern}/{address}"):
            link.unlink()
    return to


def _directory(root: Path, address: str) -> Path:
    return next(p for p in root.rglob(address) if p.is_dir() and not p.is_symlink())


def neither(
    one: Mapping[str, str], other: Mapping[str, str], mixed: Mapping[str, str]
) -> Iterator[str]:
    """Yield each answer that is that of neither state, and not unknown."""
    for question, answer in mixed.items():
        allowed = {one.get(question), other.get(question), _UNKNOWN}
        if answer not in allowed:
            yield f"{question}: {allowed} -> {answer}"
