"""The forms in which programs and scripts write a device, a detail, and a group.

Strict where a line stands alone: prose speaks of addresses and groups as well.
"""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.parts.lspci.class_names import is_class_name
from iommu_inspect.sources.text.parts.tails import tail_of
from iommu_inspect.sources.text.said import CUT

__all__ = [
    "ADDRESS",
    "Entry",
    "device_entry",
    "heading",
    "is_detail",
    "looks_like_heading",
    "split_joined",
]

ADDRESS = r"(?:[0-9a-fA-F]{4,8}:)?[0-9a-fA-F]{2}:[01][0-9a-fA-F]\.[0-7]"
"""A function's address, with or without a domain, as part of an expression."""

_PATH = rf"(?:{ADDRESS}/)?(?:(?:{ADDRESS}|[01][0-9a-fA-F]\.[0-7])/)*" + (
    rf"(?:{ADDRESS}|(?<=/)[01][0-9a-fA-F]\.[0-7])"
)
# One mark at a time: a rule of many can be cut up in one way only.
_BULLET = r"(?:[-*+•·◦▪‣|└├─│╰→]\s*|\d{1,3}[.)]\s+)*"
_ENTRY = re.compile(
    rf"{_BULLET}(?:(?:group )?device:?\s+)?"
    r"(?P<ids>\[[0-9a-f]{4}:[0-9a-f]{4}\]\s+)?(?:\[R\]\s+|\[ \]\s+)?"
    rf"(?P<path>{_PATH})(?P<rest>(?:\s.*|\s*$)?)",
    re.I,
)
# The class as lspci writes it, up to the colon; some scripts have no colon.
_CLASS = re.compile(
    r"(?P<name>[^\[\]:\"]{1,80}?)"
    r"(?: \[(?P<number>[0-9a-f]{4})\](?P<end>:?\s)| ?(?P<colon>: ?))\s*(?=\S)"
)
_NUMBERED = re.compile(r"(?:Class )?(?P<number>[0-9a-f]{4}): ?(?=\S)")
_COLUMNS = re.compile(r"(?P<name>\S+(?: \S+){0,6})\s{2,}(?=\S)")
_QUOTED = re.compile(r'"(?:[^"\\]|\\.)*"')
_HEADING = re.compile(
    r"[^\w\[(]*(?:\[(?=[^\[\]]{5,30}\]:?$))?(?P<iommu>IOMM+U[ _-]?)?"
    r"(?P<word>group|gruppe|groupe|grupo|gruppo|\u0433\u0440\u0443\u043f\u043f\u0430|\u7ec4)"
    r"\s*(?:#|no\.?|number|id)?\s*"
    rf"(?P<colon>[:=#]?)\s*(?P<group>\d{{1,6}})(?![\d{CUT}.])(?P<rest>.*)",
    re.I,
)
# What may stand behind a group's number in a heading of its own.
_NOTHING_MORE = re.compile(
    r"[^\w\[(]*(?:[\[(][^\])]{0,60}[\])]|\d+ (?:devices?|members?)|devices?)?[^\w\[(]*",
    re.I,
)
_DETAIL = re.compile(
    r"(?:Subsystem|DeviceName|Physical Slot|Control|Status|Latency|Interrupt|NUMA node"
    r"|Region \d|Expansion ROM|Capabilities|Kernel driver in use"
    r"|Kernel modules|Flags|Bus|I/O behind bridge|Memory behind bridge"
    r"|Prefetchable memory behind bridge|Secondary status|BridgeCtl|BIST"
    r"|ACSCap|ACSCtl|DevCap2?|DevCtl2?|DevSta|LnkCap2?|LnkCtl2?|LnkSta2?|SltCap|SltCtl"
    r"|SltSta|RootCap|RootCtl|RootSta|UESta|UEMsk|UESvrt|CESta|CEMsk|AERCap|HeaderLog"
    r"|ARICap|ARICtl|IOVCap|IOVCtl|IOVSta|Initial VFs|VF offset|Supported Page Size"
    r"|VF Migration|PriSta|ATSCap|ATSCtl|Address|Masking|Vector table|PBA|Port Arb"
    r"|PciePMEn|L1SubCap|L1SubCtl1|Product Name|Read-only fields)\b ?[^:\[\]]{0,24}:"
    r"|IOMMU group: ?\d|(?:Memory|I/O ports) at [0-9a-f<]|!!! |Flags: "
    r"|\(prog-if [0-9a-f]{2}"
    r"|Device Serial Number |Expansion ROM at "
)


@dataclass(frozen=True, slots=True)
class Entry:
    """One line that names a device.

    ``address`` is missing (``None``) where only a slot below a bridge is named
    (``lspci -P``); ``above`` are the functions on the way, from the root. ``key`` is
    what the line calls it. ``text`` is the rest of the line; ``class_name`` and
    ``class_number`` are taken off its beginning, and ``ids`` are ids that stood before
    the address. ``driver`` and ``group`` are what a script put behind it all.
    """

    key: str
    address: PciAddress | None
    above: tuple[str, ...]
    text: str
    class_name: str = ""
    class_number: int | None = None
    ids: tuple[int, int] | None = None
    ids_first: bool = False
    fields: tuple[str, ...] = ()
    driver: str = ""
    group: str = ""


def device_entry(bare: str, *, in_scope: bool, inline: bool = False) -> Entry | None:
    """Read a line that names a device.

    Args:
        bare: The line without indentation.
        in_scope: Whether it stands below a group's heading: then an address alone is
            enough, and what is behind it may be anything.
        inline: Whether a group's number stands before it in the line: then an address
            alone is enough.
    """
    found = _ENTRY.fullmatch(bare.rstrip(CUT) if bare.endswith(CUT) else bare)
    if found is None:
        return None
    cut = bare.endswith(CUT)
    parts = found["path"].split("/")
    rest = (found["rest"] or "").strip()
    rest = rest.removeprefix("- ").strip() if rest.startswith("- ") else rest
    tail = tail_of(rest)
    rest = tail.text
    if cut:
        rest += CUT
    entry = _of_path(parts, rest)
    if entry is None:
        return None
    ids = None
    if found["ids"]:
        pair = found["ids"].strip().strip("[]").split(":")
        ids = int(pair[0], 16), int(pair[1], 16)
    described = _described(entry, rest, ids)
    if described is None:
        alone = not rest.strip(CUT + " .,;")
        if not (alone and (in_scope or inline)) and not (
            in_scope and not _is_prose(rest)
        ):
            return None
        described = Entry(
            entry.key, entry.address, entry.above, rest, ids=ids, ids_first=bool(ids)
        )
    if cut:  # more may have been behind it
        return described
    return replace(described, driver=tail.driver, group=tail.group)


def _of_path(parts: list[str], rest: str) -> Entry | None:
    first = PciAddress.parse(parts[0])
    if first is None:
        return None
    domain = first.domain
    names: list[str] = []
    address: PciAddress | None = first
    for part in parts:
        if ":" in part:
            address = PciAddress.parse(part)
            if address is None:
                return None
            if part.count(":") == 1:
                address = PciAddress(
                    domain, address.bus, address.slot, address.function
                )
            names.append(str(address))
        else:
            address = None
            names.append(part.lower())
    key = names[-1] if address else "/".join(names)
    return Entry(key, address, tuple(names[:-1]), rest)


def _described(entry: Entry, rest: str, ids: tuple[int, int] | None) -> Entry | None:
    """Read what a line has behind the address, if that describes a device."""

    def made(name: str, number: str | None, text: str) -> Entry:
        return Entry(
            entry.key,
            entry.address,
            entry.above,
            text,
            class_name=name,
            class_number=int(number, 16) if number else None,
            ids=ids,
            ids_first=ids is not None,
        )

    if rest.startswith('"'):
        fields = tuple(part[1:-1] for part in _QUOTED.findall(rest))
        if len(fields) < 3:
            return None
        return Entry(
            entry.key, entry.address, entry.above, rest, ids=ids, fields=fields
        )
    numbered = _NUMBERED.match(rest)
    if numbered:
        return made("", numbered["number"], rest[numbered.end() :])
    found = _CLASS.match(rest)
    if found and len(rest) > found.end():
        name, number, text = found["name"], found["number"], rest[found.end() :]
        if number or _may_be_class(name):
            return made(name, number, text.strip())
    column = _COLUMNS.match(rest)
    if column and is_class_name(column["name"]):
        return made(column["name"], None, rest[column.end() :].strip())
    return None


def _may_be_class(name: str) -> bool:
    """Say whether words can be a class: pci.ids gains some, and people make some."""
    return is_class_name(name) or (name[:1].isalnum() and not name[:1].islower())


def _is_prose(rest: str) -> bool:
    """Say whether words behind an address are somebody's, not a program's."""
    words = rest.split()
    return len(words) > 1 and words[0].islower() and words[0].isalpha()


def heading(bare: str) -> tuple[str, str] | None:
    """Read the beginning of a group: its id, and a device in the same line, or "".

    ``None`` where the line is none. The rest still has to be read as a device.
    """
    found = None if bare.startswith(CUT) else _HEADING.fullmatch(bare)
    if found is None:
        return None
    group, rest = str(int(found["group"])), found["rest"]
    if _NOTHING_MORE.fullmatch(rest.rstrip(CUT)) and not rest.startswith(CUT):
        bare_word = found["word"] == "group" and not found["iommu"]
        if bare_word and not (found["colon"] or rest.startswith(":")):
            return None  # "group 13" ends many a sentence
        return group, ""
    rest = rest.lstrip(" \t:|=>-\N{EN DASH}\N{EM DASH}.,)]")
    if device_entry(rest, in_scope=False, inline=True) is None:
        return None
    return group, rest


def looks_like_heading(bare: str) -> bool:
    """Say whether a line begins as a heading does, whatever is behind it."""
    found = _HEADING.match(bare)
    if found is None:
        return False
    return bool(found["iommu"]) or found["rest"].startswith(":") or bool(found["colon"])


def is_detail(bare: str) -> bool:
    """Say whether a line is a detail of a function by its own words."""
    return _DETAIL.match(bare) is not None


_SECOND = re.compile(
    rf"(?<=[\s\])])(?=(?:IOMMU Group:? ?\d{{1,6}}:? +)?{ADDRESS} "
    r"[A-Z0-9][^:\[\]\n]{2,60}(?: \[[0-9a-f]{4}\])?: \S)"
)
_SECOND_HEADING = re.compile(r"(?<=\s)(?=IOMMU Group:? ?\d{1,6}(?::|\s|$))", re.I)
_DETAIL_BEHIND = re.compile(
    r"(?<=\S )(?=(?:Subsystem|Control|Status|Flags|Capabilities|Kernel driver in use"
    r"|Kernel modules): ?\S)"
)


def split_joined(text: str) -> list[str]:
    """Part a line in which line breaks were lost, before devices and details."""
    if len(text) < 60:
        return [text]
    places = {found.start() for found in _SECOND.finditer(text)}
    if heading(text.strip().partition(" ")[0]) or _HEADING.match(text.strip()):
        places |= {found.start() for found in _SECOND_HEADING.finditer(text)}
    if places or device_entry(text.strip(), in_scope=False) is not None:
        places |= {found.start() for found in _DETAIL_BEHIND.finditer(text)}
    indent = len(text) - len(text.lstrip())
    marks = sorted(place for place in places if text[indent:place].strip())
    # A group's number belongs to the device behind it.
    before = [
        place
        for place in marks
        if not re.search(
            r"(?:group:? ?#?\d{1,6}[:\s]*|\[R\] )$",
            text[max(0, place - 40) : place],
            re.I,
        )
        and not re.fullmatch(r"\W*(?:\[[0-9a-f:]{9}\]\s*)?", text[indent:place])
    ]
    if not before:
        return [text]
    edges = [0, *before, len(text)]
    return [text[first:last] for first, last in pairwise(edges)]
