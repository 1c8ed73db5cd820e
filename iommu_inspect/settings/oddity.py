"""One odd setting, and the ids that are lost by it."""

from __future__ import annotations

import re

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.host.dynamic_ids import DynamicId, parse_id, split_ids

__all__ = ["Fix", "Oddity", "entries_of", "ids_in", "is_plain", "write"]

_ANY_ID = re.compile(r"[0-9a-fA-F]{4}[:\-.][0-9a-fA-F]{4}(?![0-9a-fA-F])")

_PLAIN = re.compile(r"[\w.,:=/ -]*", re.ASCII)


@dataclass(frozen=True, slots=True)
class Fix:
    """What would put a setting right: prose, and the ``line`` to write, if one helps.

    ``file`` is where the line belongs; none stands for the kernel's command line.
    """

    prose: str
    line: str = ""
    file: str = ""


@dataclass(frozen=True, slots=True)
class Oddity:
    """One setting that does not do what it seems to say.

    ``lost`` are the ids, and ``lost_addresses`` the devices, that somebody meant for
    ``driver`` and the kernel does not get to see; both empty where the setting is
    about something else (``about_iommu``) or nothing was meant that could be missed.
    ``sure`` is false where a fact is missing that would decide.
    """

    where: str
    text: str
    why: str
    fix: Fix
    lost: tuple[DynamicId, ...] = ()
    lost_addresses: tuple[str, ...] = ()
    driver: str = "vfio-pci"
    about_iommu: bool = False
    sure: bool = True


def entries_of(value: str) -> tuple[DynamicId, ...]:
    """Return the entries of a list of ids that the kernel would understand."""
    parsed = (parse_id(entry.strip()) for entry in split_ids(value))
    return tuple(entry for entry in parsed if entry is not None)


def ids_in(text: str) -> tuple[DynamicId, ...]:
    """Return what looks like ids anywhere in a text, to see who may be missed."""
    parsed = (parse_id(re.sub(r"[-.]", ":", t)) for t in _ANY_ID.findall(text))
    return tuple(entry for entry in parsed if entry is not None)


def is_plain(line: str) -> bool:
    """Say whether a line for a file may be printed to be copied.

    It is made of what the source says. One with a character that such a line never
    needs is none: somebody will paste it into a shell.
    """
    return _PLAIN.fullmatch(line) is not None


def write(prose: str, line: str, file: str = "") -> Fix:
    """Return a fix with a line to be copied into a file, if it is a plain one."""
    if not is_plain(line):
        return Fix("Write it anew by hand.")
    return Fix(f"{prose}:", line, file)
