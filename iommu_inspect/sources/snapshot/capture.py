"""What was read of a host, path by path, before it becomes a file."""

from __future__ import annotations

from typing import TypeAlias

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import NodeAccess

__all__ = ["FOLDER", "NAMED", "UNREAD", "Capture", "Entry", "Link", "Mark"]


@dataclass(frozen=True, slots=True)
class Link:
    """A symbolic link, with its text as it stands."""

    text: str


@dataclass(frozen=True, slots=True)
class Mark:
    """What there is no content of.

    A directory, a file that was seen and not read, or a name in a directory of which
    nobody asked what it is.
    """

    name: str


FOLDER, UNREAD, NAMED = Mark("folder"), Mark("unread"), Mark("named")
Entry: TypeAlias = bytes | Link | Mark


@dataclass(frozen=True)
class Capture:
    """Everything that was asked of a tree, and what it answered.

    Paths have no link on the way. ``whole``, ``refused``, ``absent``, ``listed`` and
    ``nodes`` are as in the manifest; ``entries`` are what is there.
    """

    whole: bool
    entries: dict[str, Entry]
    refused: dict[str, Missing]
    absent: frozenset[str]
    listed: frozenset[str]
    nodes: dict[str, NodeAccess]
