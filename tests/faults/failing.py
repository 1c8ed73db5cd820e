"""A tree that fails: the kernel refuses, a device is gone, a read breaks off."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.group import NodeAccess
from iommu_inspect.sources.tree.failures import missing_of
from iommu_inspect.sources.tree.tree import Kind, Tree

__all__ = ["FailingTree", "Fault", "Operation", "Recorded", "operations"]

Operation = tuple[str, str]
"""What is asked of a tree, and of which path: one system call of the live host."""


@dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong, and where.

    ``at`` is an operation that fails whenever it is made, or the number of the one
    that fails once. ``how`` is an errno, or ``"short"``: half of a file is read.
    """

    at: Operation | int
    how: int | str

    def __str__(self) -> str:
        how = self.how if isinstance(self.how, str) else os.strerror(self.how)
        return f"{self.at}: {how}"


class Recorded(Tree):
    """A tree that is asked everything once; ``live`` lets it stand for a host."""

    def __init__(self, inner: Tree, *, live: bool = False) -> None:
        super().__init__(inner.label, live=live or inner.live)
        self._inner = inner
        self._answers: dict[tuple[Any, ...], Any] = {}
        self.whole = live or inner.whole
        self.hot = live or inner.hot
        self.kind = "live" if live else inner.kind

    def _once(self, name: str, *arguments: Any) -> Any:
        key = (name, *arguments)
        if key not in self._answers:
            answer = getattr(self._inner, name)(*arguments)
            listed = name == "_names" and known(answer)
            self._answers[key] = tuple(answer) if listed else answer
        return self._answers[key]

    def node(self, path: str) -> Fact[NodeAccess]:
        found: Fact[NodeAccess] = self._once("node", path)
        return found

    def _kind(self, path: str) -> Fact[Kind]:
        found: Fact[Kind] = self._once("_kind", path)
        return found

    def _link(self, path: str) -> Fact[str]:
        found: Fact[str] = self._once("_link", path)
        return found

    def _names(self, path: str) -> Fact[Iterable[str]]:
        found: Fact[Iterable[str]] = self._once("_names", path)
        return found

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        found: Fact[bytes] = self._once("_content", path, limit)
        return found


class FailingTree(Tree):
    """The same tree with faults; ``made`` are the operations, in their order."""

    def __init__(self, inner: Recorded, *faults: Fault) -> None:
        super().__init__(inner.label, live=inner.live)
        self._inner = inner
        self.whole, self.hot, self.kind = inner.whole, inner.hot, inner.kind
        self._faults = {fault.at: fault.how for fault in faults}
        self.made: list[Operation] = []

    def _fault(self, operation: str, path: str) -> int | str | None:
        number = len(self.made)
        self.made.append((operation, path))
        how = self._faults.get((operation, path))
        return self._faults.get(number) if how is None else how

    def _missing(self, operation: str, path: str) -> Missing | None:
        how = self._fault(operation, path)
        return missing_of(how) if isinstance(how, int) else None

    def node(self, path: str) -> Fact[NodeAccess]:
        missing = self._missing("node", path)
        return self._inner.node(path) if missing is None else missing

    def _kind(self, path: str) -> Fact[Kind]:
        missing = self._missing("kind", path)
        return self._inner._kind(path) if missing is None else missing

    def _link(self, path: str) -> Fact[str]:
        missing = self._missing("link", path)
        return self._inner._link(path) if missing is None else missing

    def _names(self, path: str) -> Fact[Iterable[str]]:
        missing = self._missing("names", path)
        return self._inner._names(path) if missing is None else missing

    def _content(self, path: str, limit: int) -> Fact[bytes]:
        how = self._fault("content", path)
        if isinstance(how, int):
            return missing_of(how)
        content = self._inner._content(path, limit)
        if how == "short" and known(content):
            return content[: len(content) // 2]
        return content


def operations(made: Iterable[Operation]) -> Iterator[Operation]:
    """Yield each operation once, in the order of the first time."""
    yield from dict.fromkeys(made)
