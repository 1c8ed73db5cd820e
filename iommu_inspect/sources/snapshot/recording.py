"""A tree that writes down what is asked of another one, and what that answers."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence

from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.sources.snapshot.capture import (
    FOLDER,
    NAMED,
    UNREAD,
    Capture,
    Entry,
    Link,
)
from iommu_inspect.sources.tree.tree import Kind, Tree

__all__ = ["Recorder"]

# Whose link has the number of the process that reads.
_SELF = "proc/self"
# Names in directories of devices that mean something though nothing in them is read.
_TELLING = re.compile(
    r"virtfn[0-9]+|lower_.+|brif|bonding|tun_flags|dev|(?:noiommu-)?vfio[0-9]+",
    re.DOTALL,
)
_TABLES = "sys/firmware/acpi/tables"
_TABLES_READ = ("DMAR", "IVRS", "IORT", "VIOT", "RIMT")


class Recorder(Tree):
    """Answers as the tree that it was given does.

    What is asked goes to that tree a step at a time, with no link on the way, so that
    each answer is that of one path.
    """

    def __init__(
        self, tree: Tree, progress: Callable[[int], None] = lambda _: None
    ) -> None:
        super().__init__(tree.label, live=tree.live)
        self.hot, self.whole, self.kind = tree.hot, tree.whole, tree.kind
        self._tree = tree
        self._progress = progress
        self._entries: dict[str, Entry] = {}
        self._refused: dict[str, Missing] = {}
        self._absent: set[str] = set()
        self._listed: dict[str, tuple[str, ...]] = {}
        self._nodes: dict[str, NodeAccess] = {}

    def text_bounded(
        self, paths: Sequence[str], seconds: float = 1.0
    ) -> dict[str, Fact[str]]:
        """See `Tree.text_bounded`."""
        found = self._tree.text_bounded(paths, seconds)
        for path, text in found.items():
            spot = self._walk(path)
            if not known(spot):
                continue
            if known(text):
                content = f"{text}\n".encode("utf-8", "surrogateescape")
                self._write(spot, content)
            else:
                self._miss(spot, text)
        return found

    def node(self, path: str) -> Fact[NodeAccess]:
        """See `Tree.node`."""
        found = self._tree.node(path)
        if known(found):
            self._nodes[path] = found
        elif found is not Missing.ABSENT:
            self._refused[path] = found
        return found

    def _kind(self, path: str) -> Fact[Kind]:
        self._progress(len(self._entries))
        found = self._tree._kind(path)
        if found is Kind.LINK and path == _SELF and self.hot:
            found = Kind.FOLDER
        match found:
            case Kind.FOLDER:
                self._entries.setdefault(path, FOLDER)
            case Kind.FILE:
                self._entries.setdefault(path, UNREAD)
            case Kind.OTHER:
                self._entries.setdefault(path, UNREAD)
                self._refused.setdefault(path, Missing.UNREADABLE)
            case Missing():
                self._miss(path, found)
        return found

    def _link(self, path: str) -> Fact[str]:
        found = self._tree._link(path)
        if known(found):
            self._write(path, Link(found))
        elif path not in self._entries:
            self._miss(path, found)
        return found

    def _names(self, path: str) -> Fact[Iterable[str]]:
        found = self._tree._names(path)
        if not known(found):
            self._miss(path, found)
            return found
        names = tuple(found)
        self._listed[path] = names
        return names

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        found = self._tree._content(path, limit)
        if known(found):
            self._write(path, found)
        elif not isinstance(self._entries.get(path), bytes):
            self._miss(path, found)
        return found

    def _write(self, path: str, entry: Entry) -> None:
        self._entries[path] = entry
        self._refused.pop(path, None)
        self._absent.discard(path)

    def _miss(self, path: str, why: Missing) -> None:
        if why is Missing.ABSENT:
            # It may have been there a moment ago.
            self._entries.pop(path, None)
            self._absent.add(path)
        # A whole snapshot says the same of what was not asked for.
        elif not (why is Missing.UNREADABLE and self._goes_without_saying(path)):
            self._refused[path] = why

    def _goes_without_saying(self, path: str) -> bool:
        return self.whole and path not in self._entries

    def capture(self) -> Capture:
        """Return what was asked so far."""
        entries = dict(self._entries)
        for folder, names in self._listed.items():
            for name in names:
                path = f"{folder}/{name}" if folder else name
                asked = path in entries or path in self._absent or path in self._refused
                if not asked and _tells(folder, name):
                    entries[path] = NAMED
        return Capture(
            whole=self.whole,
            entries=entries,
            refused=dict(self._refused),
            absent=frozenset(self._absent),
            listed=frozenset(self._listed),
            nodes=dict(self._nodes),
        )


def _tells(folder: str, name: str) -> bool:
    """Say whether a name is a fact although nothing else is known of it."""
    if folder == _TABLES:
        return name in _TABLES_READ
    if folder.startswith("sys/devices/"):
        # A partition has the name of its disk, and more.
        *_, above, disk = folder.split("/")
        is_partition = "/block/" in folder and name.startswith(disk)
        listed = "vfio-dev" in (above, disk) or disk in ("slaves", "brif")
        return is_partition or listed or _TELLING.fullmatch(name) is not None
    return folder.startswith("sys/")
