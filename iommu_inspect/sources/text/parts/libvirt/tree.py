"""Reads ``virsh nodedev-list --tree``: what is above what."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.sources.text.parts.libvirt.names import (
    block_of,
    function_of,
    interface_of,
)
from iommu_inspect.sources.text.said import DeviceFacts, Line, Said

__all__ = ["NodeTreeReader"]

_ENTRY = re.compile(r"(?P<lines>[ |]*)\+- (?P<name>[a-z][\w+]*)")
_ROOT = "computer"
_KINDS = re.compile(
    r"(?:pci|net|usb|block|scsi|drm|ccw|css|vdpa|mdev|ap|tty|input|storage|acpi"
    r"|cciss|nvme|virtio|system)_\w+"
)
_STEP = 4
"""How much further to the right what is below something begins."""


@dataclass(slots=True)
class _Entry:
    """One line: how far to the right it begins, and which function it is, if one."""

    at: int
    name: str
    line: int
    function: DeviceId | None


@dataclass(slots=True)
class NodeTreeReader:
    """Reads the tree; where its indentation was lost, only that devices are there."""

    KIND: ClassVar[str] = "nodedev"

    _said: list[Said] = field(default_factory=list)
    _above: list[_Entry] = field(default_factory=list)
    _root: int | None = None
    _broken: bool = False

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is an entry of the tree, or only its branches."""
        found = _ENTRY.fullmatch(bare)
        return bare == _ROOT or (
            found is not None and _KINDS.fullmatch(found["name"]) is not None
        )

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of a tree."""
        if line.prompt:
            return False
        text = line.text.rstrip()
        if text.strip() == _ROOT:
            self._root, self._broken = _indented(text), False
            self._above.clear()
            return True
        if self._root is not None and re.fullmatch(r"[ |]+", text):
            return True
        found = _ENTRY.fullmatch(text)
        if found is None or not _KINDS.fullmatch(found["name"]):
            return False
        self._entry(line.number, len(found["lines"]), found["name"])
        return True

    def close(self) -> None:
        """Take note that something else follows."""
        self._above.clear()
        self._root = None

    def said(self) -> tuple[Said, ...]:
        """Return what the lines say."""
        return tuple(self._said)

    def _entry(self, number: int, at: int, name: str) -> None:
        entry = _Entry(at, name, number, function_of(name))
        while self._above and self._above[-1].at >= at:
            self._above.pop()
        # Two columns to the right of "computer", then four for each step; with fewer
        # somebody took spaces away, and what is below what cannot be told.
        right = self._above[-1].at + _STEP if self._above else (self._root or 0) + 2
        self._broken |= self._root is None or at != right
        if entry.function is not None:
            facts = DeviceFacts()
            if not self._broken:
                above = self._nearest(self._above)
                if not self._above or above is self._above[-1]:
                    facts = DeviceFacts(parent=above.function if above else None)
            self._said.append(Said(number, entry.function, facts))
        elif not self._broken:
            self._node(number, name)
        self._above.append(entry)

    def _node(self, number: int, name: str) -> None:
        node = interface_of(name) or block_of(name)
        above = self._nearest(self._above)
        if node is not None and above is not None and above.function is not None:
            facts = DeviceFacts(nodes=(node,))
            self._said.append(Said(number, above.function, facts))

    @staticmethod
    def _nearest(above: list[_Entry]) -> _Entry | None:
        return next((e for e in reversed(above) if e.function is not None), None)


def _indented(text: str) -> int:
    return len(text) - len(text.lstrip())
