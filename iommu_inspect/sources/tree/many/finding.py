"""Finds the captures of many hosts: in directories, by names, below URLs.

A directory that holds a capture is one host. Any other directory is looked into, and
each file of it is a host's. Nothing is opened here but directories.
"""

# ruff: noqa: PTH100, PTH112, PTH116, PTH118, PTH119

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.text import natural_key, printable
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.many.showing import shown

__all__ = ["Place", "find_places", "is_url"]

# What follows a host's name; what else has a dot in it is the name.
_ENDS = (
    *(".tar.gz", ".tgz", ".tar", ".json.gz", ".json", ".txt.gz", ".txt", ".log.gz"),
    *(".log", ".text", ".lspci", ".dmesg", ".out", ".gz"),
)
# Nobody nests captures of hosts as deep; a tree that does comes from somebody's loop.
_DEEPEST = 32


@dataclass(frozen=True, slots=True)
class Place:
    """Where a host's capture is, and the name that the host has by that.

    ``fault`` says why it cannot be read, where that is known already.
    """

    host: str
    path: str
    fault: str = ""

    @property
    def shown(self) -> str:
        """The path as it is told."""
        return shown(self.path) if is_url(self.path) else self.path


def is_url(path: str) -> bool:
    """Say whether a path is for fsspec: ``s3://bucket/hosts``."""
    scheme, found, _ = path.partition("://")
    return bool(found) and scheme.replace("+", "").replace("::", "").isalnum()


def find_places(paths: Sequence[str]) -> tuple[Place, ...]:
    """Return all captures in what was named, each once, in the order of the hosts.

    A host's name is the path below what was named, without what a file's name ends in
    (``.tar.gz``); where two would have the same one, with it; and where that is not
    enough, the whole path.

    Raises:
        SourceError: what was named is not there, or holds nothing.
    """
    found: dict[str, tuple[str, str]] = {}
    for path in paths:
        mine = list(_below_url(path) if is_url(path) else _below(path))
        if not mine:
            raise SourceError(
                f"cannot read {printable(Place('', path).shown)}: the directory is "
                "empty; snapshots, captures or JSON documents of hosts are expected "
                "in it"
            )
        for below, place, fault in mine:
            found.setdefault(place, (below, fault))
    short = Counter(_without_end(below) for below, _ in found.values())
    whole = Counter(below for below, _ in found.values())

    def host(path: str, below: str) -> str:
        name = _without_end(below)
        if short[name] == 1:
            return name
        return below if whole[below] == 1 else Place("", path).shown

    places = (
        Place(host(path, below), path, fault) for path, (below, fault) in found.items()
    )
    return tuple(sorted(places, key=lambda p: (natural_key(p.host), p.host, p.path)))


def _without_end(name: str) -> str:
    for end in _ENDS:
        before = name[: -len(end)]
        if name.lower().endswith(end) and before and not before.endswith("/"):
            return before
    return name


_Found = tuple[str, str, str]
"""A path below what was named, the whole path, and why it cannot be read."""


def _below(named: str) -> Iterator[_Found]:
    try:
        is_folder = stat.S_ISDIR(os.stat(named).st_mode)
    except (OSError, ValueError) as error:
        raise SourceError(f"cannot read {printable(named)}: {_reason(error)}") from None
    own = os.path.basename(os.path.abspath(named)) or named
    if not is_folder or _is_capture(named):
        # Not what a directory ends in: "host.tar" may be one.
        yield own, named, ""
        return
    ahead = [("", 0)]
    while ahead:
        folder, depth = ahead.pop()
        here = os.path.join(named, folder) if folder else named
        try:
            with os.scandir(here) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError as error:
            yield folder or own, here, _reason(error)
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue  # what editors, git and our own writing leave
            below = f"{folder}/{entry.name}" if folder else entry.name
            # Not is_dir() of the entry, which raises for a link to itself.
            if not os.path.isdir(entry.path) or _is_capture(entry.path):
                yield below, entry.path, ""
            elif entry.is_symlink():
                yield below, entry.path, "it is a link to a directory; give its path"
            elif depth >= _DEEPEST:
                yield below, entry.path, "it is nested too deeply"
            else:
                ahead.append((below, depth + 1))


def _is_capture(folder: str) -> bool:
    """Say whether a directory is one host's: it holds ``sys``, or is one."""
    if os.path.isdir(os.path.join(folder, "sys")):
        return True
    devices = os.path.isdir(os.path.join(folder, "devices"))
    return devices and os.path.isdir(os.path.join(folder, "bus"))


def _below_url(named: str) -> Iterator[_Found]:
    from iommu_inspect.sources.tree.many.remote import listed

    own = shown(named).rstrip("/").rpartition("/")[2] or shown(named)
    yield from ((below or own, path, "") for below, path in listed(named))


def _reason(error: Exception) -> str:
    text = (isinstance(error, OSError) and error.strerror) or str(error)
    return text[:1].lower() + text[1:]
