"""A directory as a tree: the live host, or a capture that was unpacked."""

# Raw descriptors are what gives O_NOFOLLOW and the second look at what was opened,
# and pathlib would cost more than the system calls do.
# ruff: noqa: PTH115, PTH116, PTH208

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence

from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.sources.tree.bounded import read_in_child, reaped
from iommu_inspect.sources.tree.failures import missing_of
from iommu_inspect.sources.tree.tree import MAX_FILE, Kind, Tree, is_forbidden

__all__ = ["DirTree"]

_OPEN_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
# Nearly every file is shorter than this, and no larger buffer has to be prepared.
_FIRST_READ = 8192


class DirTree(Tree):
    """A directory that holds ``sys/``, or is one; the live host's is ``/``."""

    def __init__(
        self, root: str, label: str, *, live: bool = False, is_sys: bool = False
    ) -> None:
        super().__init__(label, live=live)
        self._root = root.rstrip("/") + "/"
        self._is_sys = is_sys
        self.hot = live or self._is_served()
        self._left_behind: list[int] = []

    def text_bounded(
        self, paths: Sequence[str], seconds: float = 1.0
    ) -> dict[str, Fact[str]]:
        """See `Tree.text_bounded`; a child process reads the live host's files."""
        for path in paths:
            if is_forbidden(path):
                raise ValueError(f"{path} must never be opened")
        if not self.hot:
            return super().text_bounded(paths, seconds)
        self._left_behind = [pid for pid in self._left_behind if not reaped(pid)]
        results, pid = read_in_child(paths, self.text, seconds)
        if pid is not None:
            self._left_behind.append(pid)
        return {path: results.get(path, Missing.UNREADABLE) for path in paths}

    def node(self, path: str) -> Fact[NodeAccess]:
        """See `Tree.node`; absent if it is anything else than a character device."""
        real = self._real(path)
        if real is None:
            return Missing.ABSENT
        try:
            found = os.lstat(real)
        except (OSError, ValueError) as error:
            return _missing(error)
        if not stat.S_ISCHR(found.st_mode):
            return Missing.ABSENT
        return NodeAccess(stat.S_IMODE(found.st_mode), found.st_uid, found.st_gid)

    def _is_served(self) -> bool:
        """Say whether sys/ is a sysfs: its directories have no size, others' do."""
        real = self._real("sys/kernel")
        try:
            return real is not None and os.stat(real).st_size == 0
        except OSError:
            return False

    def _real(self, path: str) -> str | None:
        """Return where a path is on this host, if it can be in this tree."""
        if not self._is_sys:
            return self._root + path
        if path == "sys" or path.startswith("sys/"):
            return self._root + path[4:]
        return None

    def _kind(self, path: str) -> Fact[Kind]:
        real = self._real(path)
        if real is None:
            return Missing.ABSENT if path else Kind.FOLDER
        try:
            mode = os.lstat(real).st_mode
        except (OSError, ValueError) as error:
            return _missing(error)
        if stat.S_ISREG(mode):
            return Kind.FILE
        if stat.S_ISDIR(mode):
            return Kind.FOLDER
        return Kind.LINK if stat.S_ISLNK(mode) else Kind.OTHER

    def _link(self, path: str) -> Fact[str]:
        try:
            return os.readlink(self._real(path) or "")
        except (OSError, ValueError) as error:
            return _missing(error)

    def _names(self, path: str) -> Fact[Iterable[str]]:
        real = self._real(path)
        if real is None:
            return ("sys",)
        try:
            return os.listdir(real)
        except (OSError, ValueError) as error:
            return _missing(error)

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        try:
            descriptor = os.open(self._real(path) or "", _OPEN_FLAGS)
        except (OSError, ValueError) as error:
            return _missing(error)
        try:
            # It may have been replaced since it was looked at.
            if not stat.S_ISREG(os.fstat(descriptor).st_mode):
                return Missing.UNREADABLE
            return _read_all(descriptor, limit)
        except OSError as error:
            return _missing(error)
        finally:
            os.close(descriptor)


def _missing(error: Exception) -> Missing:
    # A ValueError is about a name that no file can have.
    return missing_of(error.errno if isinstance(error, OSError) else None)


def _read_all(descriptor: int, limit: int) -> Fact[bytes]:
    """Read to the end: the size that sysfs states is not that of the content."""
    content = piece = os.read(descriptor, _FIRST_READ)
    parts = [content]
    left = limit - len(content)
    while piece and left >= 0:
        piece = os.read(descriptor, min(left + 1, MAX_FILE))
        parts.append(piece)
        left -= len(piece)
    return b"".join(parts) if left >= 0 else Missing.TRUNCATED
