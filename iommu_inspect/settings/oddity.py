"""One odd setting, and the ids that are lost by it."""

from __future__ import annotations

import re
from dataclasses import dataclass

from iommu_inspect.settings.dynamic_ids import DynamicId, parse_id, split_ids

__all__ = ["Oddity", "entries_of", "ids_in", "write"]

_ANY_ID = re.compile(r"[0-9a-fA-F]{4}[:\-.][0-9a-fA-F]{4}(?![0-9a-fA-F])")

_PLAIN = re.compile(r"[\w.,:=/ -]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Oddity:
    """One setting that does not do what it seems to say.

    ``lost`` are the ids, and ``lost_addresses`` the devices, that somebody meant and
    the kernel does not get to see; both empty where the setting is about something
    else (``about_iommu``) or nothing was meant that could be missed. ``fix`` begins
    with a line of prose.
    """

    where: str
    text: str
    why: str
    fix: str
    lost: tuple[DynamicId, ...] = ()
    lost_addresses: tuple[str, ...] = ()
    about_iommu: bool = False


def entries_of(value: str) -> tuple[DynamicId, ...]:
    """Return the entries of a list of ids that the kernel would understand."""
    parsed = (parse_id(entry.strip()) for entry in split_ids(value))
    return tuple(entry for entry in parsed if entry is not None)


def ids_in(text: str) -> tuple[DynamicId, ...]:
    """Return what looks like ids anywhere in a text, to see who may be missed."""
    parsed = (parse_id(re.sub(r"[-.]", ":", t)) for t in _ANY_ID.findall(text))
    return tuple(entry for entry in parsed if entry is not None)


def write(prose: str, line: str) -> str:
    """Return a remedy that ends in a line to be copied into a file.

    The line is made of what the source says. One with a character that such a line
    never needs is left out: somebody will paste it into a shell.
    """
    return f"{prose}:\n{line}" if _PLAIN.fullmatch(line) else "Write it anew by hand."
