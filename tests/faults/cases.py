"""The trees that faults are injected into: fixtures, and captures of real kernels."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from faults.failing import Recorded
from shared import FIXTURES, SHARED, SYSFS

from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.opening import open_source
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["FaultCase", "fault_cases", "opened"]

# On a running host a member whose directory is gone is on its way out.
_NEVER_LIVE = ("dangling-member",)


@dataclass(frozen=True, slots=True)
class FaultCase:
    """A capture, read as what it is, or as if a running host answered."""

    path: str
    live: bool

    def __str__(self) -> str:
        return f"{Path(self.path).name} as a {'host' if self.live else 'capture'}"


def fault_cases(*, beside: bool = False) -> Iterator[FaultCase]:
    """Yield every fixture that is a tree, twice; ``beside`` adds the real kernels'."""
    paths = [p for p in sorted(SYSFS.iterdir()) if p.is_dir()]
    paths += sorted((FIXTURES / "kernels").glob("*.tar.gz"))
    if beside:
        paths += sorted((SHARED / "real-kernels").glob("*/*.tar.gz"))
    for path in paths:
        yield FaultCase(str(path), live=False)
        if path.name not in _NEVER_LIVE:
            yield FaultCase(str(path), live=True)


def opened(case: FaultCase) -> Recorded:
    """Open a case's capture.

    Raises:
        SourceError: it is no tree.
    """
    tree = open_source(case.path)
    if not isinstance(tree, Tree):
        raise SourceError(f"{case.path} is a text")
    return Recorded(tree, live=case.live)
