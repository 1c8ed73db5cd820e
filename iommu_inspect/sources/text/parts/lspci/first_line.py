"""What the line with the address says: class, ids, name, revision."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from iommu_inspect.model.device import PciIds
from iommu_inspect.model.fact import Fact, Missing, known, map_fact
from iommu_inspect.sources.text.parts.forms import Entry
from iommu_inspect.sources.text.parts.lspci.class_names import class_of_name
from iommu_inspect.sources.text.said import CUT

__all__ = ["FirstLine", "split_name"]

_BRACKETED = re.compile(r"\[([0-9a-f]{4}):([0-9a-f]{4})\](?=[\s(,;]|$)", re.I)
_LONE = re.compile(r"(?:Device )?([0-9a-f]{4}):([0-9a-f]{4})(?=\s|$)", re.I)
# pciutils before 3.0 had it in other words.
_DEVICE = re.compile(r"(?:Device|Unknown device) ([0-9a-f]{4})(?= \(|$)")
_REVISION = re.compile(r"\(rev ([0-9a-fA-F]{2})\)")
_INTERFACE = re.compile(r"\(prog-if ([0-9a-f]{2})\b")
_BEHIND_NAME = re.compile(
    r" ?\[[0-9a-fA-F]{4}:[0-9a-fA-F]{4}\].*$"
    r"| \((?:rev [0-9a-fA-F]{2}|prog-if [0-9a-f]{2})\b.*$"
    r"|\s{2,}Driver: .*$"
)
_SUBSYSTEM = re.compile(r"Subsystem: .*?\[?([0-9a-f]{4}):([0-9a-f]{4})\]?$", re.I)
_NAMED = re.compile(r"(.*?) ?\[([0-9a-fA-F]{4})\]$")
_QUOTED_REVISION = re.compile(r'" -r([0-9a-f]{2})(?= |$)')
_QUOTED_INTERFACE = re.compile(r'" -(?:r[0-9a-f]{2} )?-?p([0-9a-f]{2})(?= |$)')


class FirstLine:
    """The line with the address, and the numbers that it shows."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._text = entry.text

    @property
    def class_base(self) -> Fact[int]:
        """The upper 16 bits of the class code."""
        entry = self._entry
        if entry.class_number is not None:
            return entry.class_number
        if entry.fields:
            name, number = split_name(entry.fields[0])
            return number if known(number) else class_of_name(name)
        return class_of_name(entry.class_name)

    @property
    def name(self) -> Fact[str]:
        """What it is called, vendor included, without numbers."""
        entry = self._entry
        if entry.fields:
            names = [split_name(text)[0] for text in entry.fields[1:3]]
            text = " ".join(name for name in names if name)
            return text or Missing.ABSENT
        text = _BEHIND_NAME.sub("", self._text).strip()
        if CUT in text:
            return Missing.TRUNCATED
        if not text or _LONE.fullmatch(text) or not (entry.class_name or entry.ids):
            return Missing.ABSENT
        return text

    @property
    def vendor_and_device(self) -> tuple[Fact[int], Fact[int]]:
        """The ids, as far as the line has numbers, and one pair of them only."""
        entry = self._entry
        if entry.fields:
            return split_name(entry.fields[1])[1], split_name(entry.fields[2])[1]
        pairs = {(int(v, 16), int(d, 16)) for v, d in _BRACKETED.findall(self._text)}
        if entry.ids is not None:
            pairs.add(entry.ids)
        lone = _LONE.match(self._text)
        if lone and not pairs:
            pairs.add((int(lone[1], 16), int(lone[2], 16)))
        if len(pairs) > 1:
            return Missing.UNREADABLE, Missing.UNREADABLE
        if pairs:
            return next(iter(pairs))
        device = _DEVICE.search(self._text)
        return Missing.ABSENT, int(device[1], 16) if device else Missing.ABSENT

    def ids(self, details: list[str]) -> PciIds:
        """Return the ids, those of the subsystem from the lines below.

        The class without a programming interface has 0 there.
        """
        vendor, device = self.vendor_and_device
        found = {(m[1], m[2]) for m in map(_SUBSYSTEM.match, details) if m}
        board: tuple[Fact[int], Fact[int]] = (Missing.ABSENT, Missing.ABSENT)
        if len(found) == 1:
            pair = next(iter(found))
            board = int(pair[0], 16), int(pair[1], 16)
        fields = self._entry.fields
        if len(fields) >= 5:
            board = split_name(fields[3])[1], split_name(fields[4])[1]
        quoted = bool(fields)
        revision = (_QUOTED_REVISION if quoted else _REVISION).search(self._text)
        interface = (_QUOTED_INTERFACE if quoted else _INTERFACE).search(self._text)
        if interface is None:
            below = (_INTERFACE.search(d) for d in details[:1])
            interface = next(filter(None, below), None)
        low = int(interface[1], 16) if interface else 0
        return PciIds(
            vendor,
            device,
            *board,
            map_fact(self.class_base, lambda base: base << 8 | low),
            int(revision[1], 16) if revision else Missing.ABSENT,
        )

    @staticmethod
    def joined(words: PciIds, bits: PciIds, choose: Callable[..., Any]) -> PciIds:
        """Return the ids of bytes, completed by words.

        The subsystem of a bridge is not where that of a device is, but in a capability:
        only words tell it.
        """
        boards = (bits.subsystem_vendor, bits.subsystem_device)
        if boards != (Missing.ABSENT, Missing.ABSENT):
            words = replace(
                words,
                subsystem_vendor=choose(boards[0], words.subsystem_vendor),
                subsystem_device=choose(boards[1], words.subsystem_device),
            )
        return replace(
            words,
            vendor=choose(bits.vendor, words.vendor),
            device=choose(bits.device, words.device),
            class_code=choose(bits.class_code, words.class_code),
            revision=choose(bits.revision, words.revision),
        )


def split_name(text: str) -> tuple[str, Fact[int]]:
    """Part ``Name [1234]``, ``1234`` or ``Device 1234`` of lspci -mm."""
    found = _NAMED.fullmatch(text)
    if found:
        return found[1], int(found[2], 16)
    number = re.fullmatch(r"(?:Device |Class )?([0-9a-f]{4})", text)
    if number:
        return "", int(number[1], 16)
    return text, Missing.ABSENT
