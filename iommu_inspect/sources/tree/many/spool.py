"""A place on disk where results wait that are more than fits into memory."""

# ruff: noqa: PTH118, PTH123

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator

__all__ = ["Spool"]

_PIECE = 1 << 20


class Spool:
    """A directory of our own, which is gone at the end of a ``with``."""

    def __init__(self) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="iommu-inspect-")

    def __enter__(self) -> Spool:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @property
    def folder(self) -> str:
        """The path of the directory."""
        return self._folder.name

    def path(self, name: str) -> str:
        """Return the path of a file in it."""
        return os.path.join(self._folder.name, name)

    def write(self, name: str, lines: Iterable[str]) -> int:
        """Write lines of ASCII to a file; return how long the longest is."""
        longest = 0
        with open(self.path(name), "w", encoding="ascii") as file:
            for line in lines:
                longest = max(longest, len(line))
                file.write(f"{line}\n")
        return longest

    def read(self, name: str) -> Iterator[bytes]:
        """Yield the content of a file, piece by piece."""
        with open(self.path(name), "rb") as file:
            while piece := file.read(_PIECE):
                yield piece
