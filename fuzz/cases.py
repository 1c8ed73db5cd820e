r"""Whole hosts as lines: what is in their files, and the commands to ask about them.

    $ audit 0000:01:00.0 --from A
    sys/devices/x/vendor = 0x8086\n
    sys/bus/pci/devices/x -> ../../../devices/x
    sys/devices/x/
    @ B
    sys/devices/x/vendor = 0x10de\n
    @ T
    00:00.0 Host bridge: a text

Source B is A with what follows over it, and T is a text as it stands. Whatever is no
such line is passed over, so that any of them can be left out.
"""

from __future__ import annotations

import shlex
from codecs import escape_decode, escape_encode
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field

from iommu_inspect.model.fact import known
from iommu_inspect.sources.tree.opening import Text
from iommu_inspect.sources.tree.snapshot import as_snapshot
from iommu_inspect.sources.tree.tar import Entry, Folder, Link, TarTree
from iommu_inspect.sources.tree.tree import Kind, Tree

__all__ = ["Case", "escaped", "file", "folder", "link", "parsed", "written"]

_TREES = ("A", "B")


@dataclass(slots=True)
class Case:
    """What the lines say."""

    commands: list[list[str]] = field(default_factory=list)
    trees: dict[str, Folder] = field(default_factory=dict)
    text: str = ""

    def opened(self, name: str) -> Tree | Text:
        """Return a source by its name, fresh."""
        if name not in _TREES:
            return Text(self.text, "T")
        return as_snapshot(TarTree(self.trees[name], name))


def escaped(content: bytes) -> str:
    """Return bytes as the lines have them."""
    return bytes(escape_encode(content)[0]).decode("ascii")


def file(path: str, content: bytes) -> str:
    """Return the line of a file."""
    return f"{path} = {escaped(content)}"


def link(path: str, target: str) -> str:
    """Return the line of a link."""
    return f"{path} -> {target}"


def folder(path: str) -> str:
    """Return the line of a directory."""
    return f"{path}/"


def written(tree: Tree) -> list[str]:
    """Return all that is in a tree as lines."""
    return list(_walked(tree, ""))


def _walked(tree: Tree, above: str) -> Iterator[str]:
    names = tree._names(above)
    for name in sorted(names) if known(names) else ():
        path = f"{above}/{name}" if above else name
        match tree._kind(path):
            case Kind.FOLDER:
                yield folder(path)
                yield from _walked(tree, path)
            case Kind.LINK:
                target = tree._link(path)
                if known(target) and "\n" not in f"{path}{target}":
                    yield link(path, target)
            case Kind.FILE:
                content = tree._content(path, 1 << 16)
                if known(content) and "\n" not in path:
                    yield file(path, content)


def parsed(data: bytes) -> Case:
    """Read the lines."""
    head, _, text = data.partition(b"\n@ T\n")
    case = Case(text=text.decode("utf-8", "replace"))
    first: Folder = {}
    second: Folder = {}
    into = [first, second]
    for raw in head.split(b"\n"):
        line = raw.decode("utf-8", "surrogateescape")
        if line.startswith("$ "):
            with suppress(ValueError):
                case.commands.append(shlex.split(line[2:]))
        elif line == "@ B":
            into = [second]
        else:
            _add(line, into)
    case.trees = {"A": first, "B": second}
    return case


def _add(line: str, into: list[Folder]) -> None:
    path, is_file, content = line.partition(" = ")
    if is_file:
        try:
            decoded = escape_decode(content.encode("utf-8", "surrogateescape"))[0]
        except ValueError:
            return
        entry: Entry = bytes(decoded)
    else:
        path, is_link, target = line.partition(" -> ")
        if is_link:
            entry = Link(target)
        elif line.endswith("/"):
            path, entry = line[:-1], {}
        else:
            return
    for top in into:
        _put(top, path.split("/"), {} if entry == {} else entry)


def _put(top: Folder, parts: list[str], entry: Entry) -> None:
    if "" in parts or "." in parts or ".." in parts:
        return
    here = top
    for part in parts[:-1]:
        below = here.setdefault(part, {})
        if not isinstance(below, dict):
            return
        here = below
    there = here.get(parts[-1])
    if not (isinstance(entry, dict) and isinstance(there, dict)):
        here[parts[-1]] = entry
