"""Reads CHANGELOG.md, and the head of debian/changelog.

The first is as https://keepachangelog.com/en/1.1.0/ has it: ``## Unreleased``, then a
section for each release, the newest first, ``## 1.2.3 - 2026-01-31``, each with entries
below some of six headings. The second is as deb-changelog(5) has it.
"""

from __future__ import annotations

import datetime
import itertools
import re
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

__all__ = ["ChangelogError", "DebianEntry", "Section", "debian_head", "sections"]

_KINDS = ("Added", "Changed", "Deprecated", "Removed", "Fixed", "Security")
_RELEASE = re.compile(r"(\d+\.\d+\.\d+) - (\d{4}-\d\d-\d\d)")
_DEBIAN_FIRST = re.compile(r"([a-z0-9.+-]+) \(([^()\s]+)\) (\S+); urgency=\w+")
_DEBIAN_LAST = re.compile(r" -- .+ <.+@.+>  (.+)")
UNRELEASED = "Unreleased"


class ChangelogError(Exception):
    """A changelog that is not as its format has it, and where."""


@dataclass(frozen=True, slots=True)
class Section:
    """A release, or what is not released yet: then it has no day."""

    version: str
    day: datetime.date | None
    entries: int


@dataclass(frozen=True, slots=True)
class DebianEntry:
    """The newest entry: package, version, distribution, and its day."""

    package: str
    version: str
    distribution: str
    day: datetime.date


def sections(text: str) -> tuple[Section, ...]:
    """Return the sections of a changelog, in its order.

    Raises:
        ChangelogError: if a heading is none of the format's, or out of its place.
    """
    found: list[Section] = []
    kind = None
    for number, line in enumerate(text.splitlines(), 1):
        if line.startswith("## "):
            found.append(_section(line[3:].strip(), number))
            kind = None
        elif line.startswith("### "):
            kind = line[4:].strip()
            if kind not in _KINDS or not found:
                raise ChangelogError(f"line {number}: no place for a heading {kind}")
        elif line.startswith("- "):
            if kind is None:
                raise ChangelogError(f"line {number}: an entry below no heading")
            last = found[-1]
            found[-1] = Section(last.version, last.day, last.entries + 1)
    _ordered(found)
    return tuple(found)


def _section(title: str, number: int) -> Section:
    if title == UNRELEASED:
        return Section(UNRELEASED, None, 0)
    read = _RELEASE.fullmatch(title)
    if not read:
        raise ChangelogError(f"line {number}: no version with a day: {title}")
    try:
        return Section(read[1], datetime.date.fromisoformat(read[2]), 0)
    except ValueError as error:
        raise ChangelogError(f"line {number}: {error}") from error


def _ordered(found: list[Section]) -> None:
    if not found or found[0].version != UNRELEASED:
        raise ChangelogError(f"the first section is not {UNRELEASED}")
    released = found[1:]
    keys = [(numbers(it.version), it.day) for it in released if it.day]
    if len(keys) < len(released):
        raise ChangelogError(f"{UNRELEASED} is there twice")
    for newer, older in itertools.pairwise(keys):
        if newer[0] <= older[0] or newer[1] < older[1]:
            raise ChangelogError("releases are not in order, the newest first")


def numbers(version: str) -> tuple[int, ...]:
    """Return what a version is ordered by."""
    return tuple(map(int, version.split(".")))


def debian_head(text: str) -> DebianEntry:
    """Return the newest entry of a debian/changelog.

    Raises:
        ChangelogError: if it is none.
    """
    lines = text.splitlines()
    first = _DEBIAN_FIRST.fullmatch(lines[0]) if lines else None
    last = next(filter(None, map(_DEBIAN_LAST.fullmatch, lines)), None)
    if not first or not last:
        raise ChangelogError("it has no entry")
    try:
        day = parsedate_to_datetime(last[1]).date()
    except ValueError as error:
        raise ChangelogError(f"no date: {last[1]}") from error
    return DebianEntry(first[1], first[2], first[3], day)
