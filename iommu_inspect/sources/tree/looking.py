"""Looks into a directory of sysfs at once: how it is asked, answered, and read.

A child answers with types that `marshal` has, so what is missing is sent as a word.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from sys import intern

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.sources.tree.bounded import Request
from iommu_inspect.sources.tree.tree import Inside, is_forbidden

__all__ = ["Eyes", "Seen", "looked", "questions", "seen"]


@dataclass(frozen=True, slots=True)
class Eyes:
    """How a process sees what is at a path: what a directory lists, a link, a file.

    A file's content is ``None`` where a link is in its place.
    """

    names: Callable[[str], Fact[Iterable[str]]]
    link: Callable[[str], Fact[str]]
    content: Callable[[str], Fact[bytes] | None]


@dataclass(frozen=True, slots=True)
class Seen:
    """What is in a directory, each by its whole path."""

    lists: Mapping[str, tuple[str, ...]]
    contents: Mapping[str, Fact[bytes] | None]
    texts: Mapping[str, Fact[str]]


def questions(folders: Iterable[str], inside: Inside) -> list[Request]:
    """Ask for directories to be looked into.

    Raises:
        ValueError: one of the files is one of those that are never opened.
    """
    if any(is_forbidden(f"sys/{name}") for name in inside.files):
        raise ValueError(f"one of {', '.join(inside.files)} must never be opened")
    sent = inside.files, inside.links, inside.lists
    return [("look", folder, sent) for folder in folders]


def looked(  # pragma: no cover - runs in a child that ends with os._exit, unmeasured
    eyes: Eyes,
    folder: str,
    files: Sequence[str],
    links: Sequence[str],
    lists: Sequence[str],
) -> object:
    """Answer; what the directory does not list is not looked for."""
    listed: dict[str, list[str]] = {}
    contents: dict[str, object] = {}
    texts: dict[str, str | None] = {}

    def follow(name: str) -> None:
        if there is not None and "/" not in name and name not in there:
            texts[name] = None
            return
        text = eyes.link(f"{folder}/{name}")
        if known(text) or text is Missing.ABSENT:
            texts[name] = text if known(text) else None

    there: set[str] | None = None
    if "" in lists:
        names = eyes.names(folder)
        if not known(names):
            return names
        there = set(names)
        listed[""] = list(there)
    for name in files:
        content: Fact[bytes] | None = Missing.ABSENT
        if there is None or name in there:
            content = eyes.content(f"{folder}/{name}")
        contents[name] = content.value if isinstance(content, Missing) else content
    for name in links:
        begin = name.removesuffix("*")
        for each in [name] if name == begin else there or ():
            if each.startswith(begin):
                follow(each)
    for below in filter(None, lists):
        names = eyes.names(f"{folder}/{below}")
        if known(names):
            listed[below] = list(names)
            for name in listed[below]:
                follow(f"{below}/{name}")
    return listed, contents, texts


def seen(folder: str, answer: object) -> Seen | None:
    """Read an answer, ``None`` where there was none: ask for one after the other."""
    if not isinstance(answer, tuple):
        return None
    listed, contents, texts = answer

    def given(content: bytes | str | None) -> Fact[bytes] | None:
        return Missing(content) if isinstance(content, str) else content

    return Seen(
        {
            # Directories of devices list the same names: each is kept once.
            f"{folder}/{below}" if below else folder: tuple(sorted(map(intern, names)))
            for below, names in listed.items()
        },
        {
            f"{folder}/{name}": Missing(content)
            if isinstance(content, str)
            else content
            for name, content in contents.items()
        },
        {
            f"{folder}/{name}": Missing.ABSENT if text is None else text
            for name, text in texts.items()
        },
    )
