"""The text of ``lspci``, cut into one record for each function.

The text comes out of mails and forums: quoted, wrapped, with other output before,
between and behind. Nothing here says what a line means.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from iommu_inspect.model.pci.address import PciAddress

__all__ = ["Record", "looks_like_lspci", "records"]

_QUOTED = re.compile(r"(?:> ?)+")
_HEADER = re.compile(
    r" {0,8}((?:[0-9a-fA-F]{4,8}:)?[0-9a-f]{2}:[01][0-9a-f]\.[0-7]) "
    r"(?=\S[^:]{0,80}: ?\S)(.+)"
)
_HEX = re.compile(r"\s*([0-9a-f]{2,3}): ((?:[0-9a-f]{2} ){0,15}[0-9a-f]{2})\s*")
# How lists of groups begin; those have another source.
_LISTING = re.compile(r"\W*(?:IOMMU )?Group:? +#?\d+")
_MAX_LINE = 4096
_MAX_CONFIG = 4096
_MAX_LINES = 2000


@dataclass(slots=True)
class Record:
    """What the text has about one function, as text.

    ``first`` is the line with the address, without it; ``details`` are the indented
    ones, without their indentation; ``dump`` has rows of bytes by their offsets.
    """

    address: PciAddress
    first: str
    details: list[str] = field(default_factory=list)
    dump: dict[int, bytes] = field(default_factory=dict)

    @property
    def config(self) -> bytes:
        """The bytes from offset 0 up to the first gap."""
        found = bytearray()
        while (row := self.dump.get(len(found))) and len(found) < _MAX_CONFIG:
            found += row
        return bytes(found)


def looks_like_lspci(text: str) -> bool:
    """Say whether some line is the first one of a function in lspci's output."""
    found = False
    for line in text.splitlines():
        bare = _unquoted(line)
        if _LISTING.match(bare):
            return False
        found = found or _HEADER.fullmatch(bare) is not None
    return found


def records(text: str) -> list[Record]:
    """Return the functions in the order in which the text first names them.

    A function that comes twice (``lspci -vvv``, then ``lspci -xxx``) is one record.
    """
    found: dict[PciAddress, Record] = {}
    current: Record | None = None
    gap = False
    for line in text.splitlines():
        bare = _unquoted(line)
        if not bare.strip():
            gap = True
            continue
        header = _HEADER.fullmatch(bare)
        if header is not None:
            current = _record(found, header)
        elif current is not None and not _take(current, bare, gap=gap):
            current = None
        gap = False
    return list(found.values())


def _unquoted(line: str) -> str:
    line = line[:_MAX_LINE]
    quoted = _QUOTED.match(line)
    return line[quoted.end() :] if quoted else line


def _record(found: dict[PciAddress, Record], header: re.Match[str]) -> Record | None:
    address = PciAddress.parse(header[1])
    if address is None:
        return None
    known = found.setdefault(address, Record(address, header[2]))
    if known.first != header[2]:
        known.details.append(header[2])
    return known


def _take(record: Record, line: str, *, gap: bool) -> bool:
    """Add a line to a record; ``False`` for one that is none of lspci's."""
    row = _HEX.fullmatch(line)
    if row is not None:
        content = bytes.fromhex(row[2])
        offset = int(row[1], 16)
        # A row that comes twice and differs is from two moments, or damaged.
        if record.dump.setdefault(offset, content) != content:
            record.dump[offset] = b""
        return True
    if line[0] in " \t":
        if len(record.details) < _MAX_LINES:
            record.details.append(line.strip())
        return True
    if gap:
        return False
    # A mailer wrapped it.
    lines = record.details
    if not lines:
        record.first = f"{record.first} {line.strip()}"[:_MAX_LINE]
    else:
        lines[-1] = f"{lines[-1]} {line.strip()}"[:_MAX_LINE]
    return True
