"""A capture in a tar, as a tree: all of it in memory, never unpacked to disk.

The file comes from somebody else, so nothing in it is believed: whatever it says of
itself, reading it costs bounded time and memory.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import BinaryIO, NamedTuple, TypeAlias

from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.sources.tree.inflating import UnreadableTarError, past
from iommu_inspect.sources.tree.tar_members import (
    MAX_MEMBERS,
    Content,
    Member,
    Padded,
    members,
    too_many,
)
from iommu_inspect.sources.tree.tree import MAX_FILE, Kind, Tree

__all__ = [
    "MAX_DEPTH",
    "MAX_IMPLIED",
    "MAX_KEPT",
    "MAX_NAME",
    "Archive",
    "Entry",
    "Folder",
    "Link",
    "TarTree",
    "UnreadableTarError",
    "read_tar",
]

MAX_KEPT = 64 << 20
"""Bytes of names, link targets and contents that stay in memory."""
MAX_NAME = 4096
MAX_DEPTH = 64
MAX_IMPLIED = 100_000
"""Directories that no member is, and that only names of others imply."""


class Link(NamedTuple):
    """A symbolic link as the archive has it."""

    target: str


Folder: TypeAlias = dict[str, "Entry"]
Entry: TypeAlias = Folder | Content | Link
"""A directory, a file or a link."""


class Archive(NamedTuple):
    """The members of a tar by name, and what was ignored."""

    top: Folder
    notes: tuple[str, ...]


class TarTree(Tree):
    """A tar that holds ``sys/``, or what is in one, all of it in memory."""

    def __init__(self, top: Folder, label: str, ignored: tuple[str, ...] = ()) -> None:
        super().__init__(label)
        self._top = top
        self._ignored = ignored
        self._found: dict[str, Folder] = {"": top}

    def _entry(self, path: str) -> Entry | None:
        if not path:
            return self._top
        above, _, name = path.rpartition("/")
        folder = self._at(above)
        return None if folder is None else folder.get(name)

    def _at(self, path: str) -> Folder | None:
        """Return a directory, which stays where it is found once."""
        if path in self._found:
            return self._found[path]
        folder = self._top
        for part in path.split("/"):
            entry = folder.get(part)
            if not isinstance(entry, dict):
                return None
            folder = entry
        self._found[path] = folder
        return folder

    def _kind(self, path: str) -> Fact[Kind]:
        entry = self._entry(path)
        if entry is None:
            return Missing.ABSENT
        if isinstance(entry, dict):
            return Kind.FOLDER
        if entry is Missing.UNREADABLE:
            return Kind.OTHER
        return Kind.LINK if isinstance(entry, Link) else Kind.FILE

    def _link(self, path: str) -> Fact[str]:
        entry = self._entry(path)
        return entry.target if isinstance(entry, Link) else Missing.UNREADABLE

    def _names(self, path: str) -> Fact[Iterable[str]]:
        entry = self._entry(path)
        return entry if isinstance(entry, dict) else Missing.ABSENT

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        entry = self._entry(path)
        if isinstance(entry, Padded):
            if entry.size > limit:
                return Missing.TRUNCATED
            return entry.content.ljust(entry.size, b"\0")
        if isinstance(entry, bytes):
            return entry if len(entry) <= limit else Missing.TRUNCATED
        return entry if isinstance(entry, Missing) else Missing.UNREADABLE


class _Builder:
    """The archive as it grows."""

    def __init__(self) -> None:
        self.top: Folder = {}
        self._nodes = self._implied = 0
        self._kept = 0
        self._ignored: dict[str, int] = {}

    def _count(self) -> None:
        self._nodes += 1
        if self._nodes > MAX_MEMBERS:
            raise too_many()

    def add(self, member: Member) -> None:
        """Add a member; what cannot be trusted is only counted."""
        self._count()
        parts = self._parts(member.info.name)
        if parts is not None:
            self._put(parts, self._entry(member))

    def _entry(self, member: Member) -> Entry:
        info, link = member.info, member.info.linkname
        if info.is_folder:
            return {}
        if info.is_symlink:
            usable = 0 < len(link) <= MAX_NAME and "\0" not in link
            return Link(link) if usable else Missing.UNREADABLE
        if info.is_hard_link:
            return self._earlier(link)
        content = member.content
        # Few large files are read, and none may crowd out the small ones.
        size = len(content) if isinstance(content, bytes) else 0
        crowds = size > MAX_FILE and self._kept + size > MAX_KEPT // 2
        return Missing.TRUNCATED if crowds else content

    def _keep(self, thing: str | bytes) -> None:
        # What it takes in memory: the width of a string's characters differs.
        self._kept += sys.getsizeof(thing)
        if self._kept > MAX_KEPT:
            raise past("what the tar's members hold is", MAX_KEPT)

    def _ignore(self, why: str) -> None:
        self._ignored[why] = self._ignored.get(why, 0) + 1

    def _parts(self, name: str) -> list[str] | None:
        """Split a member's name; without a value where it cannot be trusted."""
        if len(name) > MAX_NAME or name.count("/") > 2 * MAX_DEPTH:
            self._ignore("with names that are too long or too deep")
            return None
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts:
            self._ignore("with names that leave the capture")
        elif len(parts) > MAX_DEPTH:
            self._ignore("with names that are too long or too deep")
        elif "\0" in name:
            self._ignore("with names that no file can have")
        else:
            return parts
        return None

    def _put(self, parts: list[str], entry: Entry) -> None:
        """Add a member; of two with the same name the last one counts."""
        if not parts:
            return
        folder = self.top
        for part in parts[:-1]:
            below = folder.get(part)
            if below is None:
                self._count()
                self._implied += 1
                if self._implied > MAX_IMPLIED:
                    raise UnreadableTarError(
                        f"its names imply more than {MAX_IMPLIED:,} directories; "
                        "capture less of /sys"
                    )
                self._keep(part)
                below = folder[part] = {}
            if not isinstance(below, dict):
                self._ignore("below something that is no directory")
                return
            folder = below
        leaf = parts[-1]
        there = folder.get(leaf)
        if isinstance(entry, dict) and isinstance(there, dict):
            return
        if there is None:
            self._keep(leaf)
        if isinstance(entry, (Link, Padded)):
            self._keep(entry[0])
        elif isinstance(entry, bytes):
            self._keep(entry)
        folder[leaf] = entry

    def _earlier(self, name: str) -> Entry:
        """Return what a hard link names, which has to come before it."""
        entry: Entry | None = self.top
        for part in self._parts(name) or ["/"]:
            entry = entry.get(part) if isinstance(entry, dict) else None
        if entry is None or isinstance(entry, dict):
            self._ignore("that are hard links to nothing")
            return Missing.UNREADABLE
        return entry

    def archive(self) -> Archive:
        notes = [
            f"{count} member{'s' if count > 1 else ''} {why} were ignored"
            if count > 1
            else f"1 member {why} was ignored"
            for why, count in self._ignored.items()
        ]
        return Archive(self.top, tuple(notes))


def read_tar(source: BinaryIO) -> Archive:
    """Read a tar, plain or compressed with gzip, bzip2 or xz, from its bytes.

    Raises:
        UnreadableTarError: It is none, or not a whole one, or past a limit.
    """
    builder = _Builder()
    for member in members(source):
        builder.add(member)
    return builder.archive()
