"""A picture before it is drawn: a tree of nodes, the same for every language."""

from __future__ import annotations

import enum
from collections.abc import Iterator

from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.render.graph.ranges import numbers

__all__ = ["Kind", "Node", "Scene"]


class Kind(enum.Enum):
    """What a node stands for. Of growth nothing is there yet."""

    ROOT = "root"
    BRIDGE = "bridge"
    DEVICE = "device"
    GROWTH = "growth"


@dataclass(frozen=True, slots=True)
class Node:
    """One box: a device, several that are alike, a root bus, or what may come.

    ``devices`` are those that the box stands for; those below it are its children's.
    ``groups`` are the ids of their groups in order; ``untold`` says that the source
    does not tell one. ``hue`` numbers the groups of several devices, which have
    colours; a device that is alone in its group has none. ``marks`` say in words where
    isolation is lost. ``what`` says what it is, without the count; ``short`` is the
    beginning of that, without names, ``brief`` the same with short ones; ``noun`` the
    plural for a box of several.
    """

    kind: Kind
    title: str
    what: str = ""
    short: str = ""
    brief: str = ""
    driver: str = ""
    use: str = ""
    groups: tuple[str, ...] = ()
    untold: bool = False
    hue: int | None = None
    ownership: Ownership | None = None
    marks: tuple[str, ...] = ()
    asked: bool = False
    noun: str = "devices"
    devices: tuple[DeviceId, ...] = ()
    children: tuple[Node, ...] = ()

    @property
    def group_words(self) -> str:
        """Say which groups it is in, "" for what is in none by its nature."""
        if self.kind is Kind.ROOT:
            return ""
        if self.groups:
            one = len(self.groups) == 1
            return f"group {self.groups[0]}" if one else f"groups {self.group_ids}"
        return "group not told" if self.untold else "no group"

    @property
    def group_ids(self) -> str:
        """The ids alone, runs of them as ``11-18``; "?" if not told, "-" for none."""
        return numbers(self.groups) or ("?" if self.untold else "-")

    @property
    def owner_word(self) -> str:
        """Who owns the group, in a word; "" where there is no group."""
        return self.ownership.value if self.ownership is not None else ""

    @property
    def counted(self) -> str:
        """What it is; of a box of several, with how many they are."""
        if self.kind is Kind.GROWTH:
            return f"can grow: {self.what}"
        if len(self.devices) < 2:
            return self.what
        return f"{len(self.devices)} {self.noun}: {self.what}"

    @property
    def counted_briefly(self) -> str:
        """The same where there is little room."""
        brief = self.brief or self.what
        return f"{len(self.devices)}: {brief}" if len(self.devices) > 1 else brief

    def walk(self) -> Iterator[Node]:
        """Yield the node and all below it, in the order in which they are drawn."""
        yield self
        for child in self.children:
            yield from child.walk()


@dataclass(frozen=True, slots=True)
class Scene:
    """The whole picture. ``notes`` are sentences of what it cannot show.

    ``hidden`` is the number of devices that were not asked for and are left out.
    """

    title: str
    summary: str
    roots: tuple[Node, ...]
    notes: tuple[str, ...] = ()
    hidden: int = 0

    def walk(self) -> Iterator[Node]:
        """Yield all nodes in the order in which they are drawn."""
        for root in self.roots:
            yield from root.walk()
