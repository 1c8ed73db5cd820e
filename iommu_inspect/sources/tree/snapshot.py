"""A snapshot as a tree: files, and a manifest that says what could not be read.

Files alone cannot say that the kernel refused one, nor that one was looked for and is
not there. The manifest can, and so a snapshot answers as the host did. Of a path that
its maker never asked for it says that it cannot tell, and not that nothing is there: a
later version of the tool may ask for more than an earlier one has captured.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import field
from typing import Any

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.tree import MAX_LARGE, Kind, Tree

__all__ = ["FORMAT", "LEVELS", "MANIFEST", "Manifest", "SnapshotTree", "as_snapshot"]

MANIFEST = "iommu-inspect.json"
"""The member beside ``sys/`` that makes a capture a snapshot."""
FORMAT = "iommu-inspect/snapshot/1"
LEVELS = ("none", "default", "strict")
"""How much was scrubbed, the least first."""

_REFUSALS = (Missing.DENIED, Missing.TRUNCATED, Missing.UNREADABLE)


@dataclass(frozen=True)
class Manifest:
    """What a snapshot says of itself.

    ``whole``: it was made of a running host, so that what was looked for and not found
    is not there. ``refused`` is why a path could not be read, ``absent`` what was
    looked for in vain, ``unread`` the files that were seen and not read, ``named``
    names in directories of which nobody asked what they are, ``listed`` the directories
    whose names were asked for. ``privileged`` is ``None`` where nobody can tell;
    ``left_out`` are sentences for people.
    """

    tool: str
    redaction: str = "none"
    kernel: str | None = None
    privileged: bool | None = None
    whole: bool = False
    left_out: tuple[str, ...] = ()
    refused: Mapping[str, Missing] = field(default_factory=dict)
    absent: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    listed: frozenset[str] = frozenset()
    nodes: Mapping[str, NodeAccess] = field(default_factory=dict)

    def to_json(self) -> bytes:
        """Return the manifest's bytes, the same for the same manifest."""
        by_reason: dict[Missing, set[str]] = {}
        for path, why in self.refused.items():
            by_reason.setdefault(why, set()).add(path)
        document = {
            "format": FORMAT,
            "tool": self.tool,
            "kernel": self.kernel,
            "privileged": self.privileged,
            "redaction": self.redaction,
            "whole": self.whole,
            "left_out": list(self.left_out),
            **{why.value: _folded(by_reason.get(why, ())) for why in _REFUSALS},
            "absent": _folded(self.absent),
            "not_read": _folded(self.unread),
            "name_only": _folded(self.named),
            "listed": _folded(self.listed),
            "nodes": {
                path: [node.mode, node.user, node.group]
                for path, node in self.nodes.items()
            },
        }
        return f"{json.dumps(document, indent=1, sort_keys=True)}\n".encode()

    @classmethod
    def from_json(cls, content: bytes) -> Manifest:
        """Read a manifest, which may come from anybody.

        Raises:
            ValueError: It is none, or one of another version; the message is half a
                line.
        """
        try:
            document = json.loads(content)
        except (ValueError, RecursionError):
            raise ValueError("its manifest is damaged") from None
        if not isinstance(document, dict):
            raise ValueError("its manifest is damaged")
        if document.get("format") != FORMAT:
            raise ValueError("it is a snapshot of another version of this program")
        try:
            return cls._parsed(document)
        except (KeyError, TypeError, ValueError, AttributeError):
            raise ValueError("its manifest is damaged") from None

    @classmethod
    def _parsed(cls, document: dict[str, Any]) -> Manifest:
        kernel, privileged = document["kernel"], document["privileged"]
        if document["redaction"] not in LEVELS:
            raise TypeError
        return cls(
            tool=_text(document["tool"]),
            redaction=document["redaction"],
            kernel=None if kernel is None else _text(kernel),
            privileged=None if privileged is None else _truth(privileged),
            whole=_truth(document["whole"]),
            left_out=tuple(_text(line) for line in _list(document["left_out"])),
            refused={
                path: why
                for why in _REFUSALS
                for path in _unfolded(document[why.value])
            },
            absent=frozenset(_unfolded(document["absent"])),
            unread=frozenset(_unfolded(document["not_read"])),
            named=frozenset(_unfolded(document["name_only"])),
            listed=frozenset(_unfolded(document["listed"])),
            nodes={
                _text(path): NodeAccess(*_numbers(node))
                for path, node in document["nodes"].items()
            },
        )


def _folded(paths: Iterable[str]) -> dict[str, list[str]]:
    """Put paths together by the directory that they are in: most share it."""
    found: dict[str, list[str]] = {}
    for path in sorted(paths):
        folder, _, name = path.rpartition("/")
        found.setdefault(folder, []).append(name)
    return found


def _unfolded(folders: dict[str, list[str]]) -> Iterable[str]:
    for folder, names in folders.items():
        for name in _list(names):
            yield f"{folder}/{_text(name)}" if folder else _text(name)


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value


def _truth(value: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError
    return value


def _list(value: object) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError
    return value


def _numbers(value: object) -> tuple[int, int, int]:
    mode, user, group = _list(value)
    if not all(type(number) is int and number >= 0 for number in (mode, user, group)):
        raise TypeError
    return mode, user, group


class SnapshotTree(Tree):
    """The files of a snapshot, wherever they are, read with its manifest."""

    def __init__(self, files: Tree, manifest: Manifest) -> None:
        super().__init__(files.label)
        self.kind = "snapshot"
        self.whole = manifest.whole
        self.manifest = manifest
        self._files = files
        if manifest.privileged is False:
            self._ignored = (
                "this snapshot was made without root: what only root may read is "
                "unknown in it",
            )

    @property
    def notes(self) -> tuple[str, ...]:
        """See `Tree.notes`."""
        return (*super().notes, *self._files.notes)

    def node(self, path: str) -> Fact[NodeAccess]:
        """See `Tree.node`."""
        refused = self.manifest.refused.get(path, Missing.ABSENT)
        return self.manifest.nodes.get(path, refused)

    def _kind(self, path: str) -> Fact[Kind]:
        if path == MANIFEST:
            return Missing.ABSENT
        if path in self.manifest.named:
            return Missing.UNREADABLE
        found = self._files._kind(path)
        if found is not Missing.ABSENT:
            return found
        return self.manifest.refused.get(path, self._untold(path))

    def _untold(self, path: str) -> Missing:
        asked = path in self.manifest.absent or not self.whole
        return Missing.ABSENT if asked else Missing.UNREADABLE

    def _link(self, path: str) -> Fact[str]:
        found = self._files._link(path)
        return found if known(found) else self.manifest.refused.get(path, found)

    def _names(self, path: str) -> Fact[Iterable[str]]:
        refused = self.manifest.refused.get(path)
        if refused is not None:
            return refused
        if self.whole and path not in self.manifest.listed:
            return Missing.UNREADABLE
        return self._files._names(path)

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        refused = self.manifest.refused.get(path)
        if refused is not None:
            return refused
        if path in self.manifest.unread:
            return Missing.UNREADABLE
        return self._files._content(path, limit)


def as_snapshot(files: Tree) -> Tree:
    """Return the files with their manifest, if they have one.

    Raises:
        SourceError: The manifest cannot be read.
    """
    if files._kind(MANIFEST) is not Kind.FILE:
        return files
    content = files._content(MANIFEST, MAX_LARGE)
    try:
        if not known(content):
            raise ValueError("its manifest cannot be read")
        return SnapshotTree(files, Manifest.from_json(content))
    except ValueError as error:
        raise SourceError(f"cannot read {files.label}: {error}") from None
