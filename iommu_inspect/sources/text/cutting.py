"""Cuts a text into parts: each line goes to the reader whose kind it is.

People paste what several commands printed, one after another, with their own words in
between. A reader goes on for as long as it takes the lines; the first reader that takes
the next one begins another part.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.sources.text.cleaning import clean
from iommu_inspect.sources.text.parts.command_line import CommandLineReader
from iommu_inspect.sources.text.parts.devbind import DevbindReader
from iommu_inspect.sources.text.parts.devices import DeviceReader
from iommu_inspect.sources.text.parts.driverctl import DriverctlReader
from iommu_inspect.sources.text.parts.entries import EntryReader
from iommu_inspect.sources.text.parts.forms import ADDRESS, split_joined
from iommu_inspect.sources.text.parts.iommu_tree import IommuTreeReader
from iommu_inspect.sources.text.parts.libvirt.tree import NodeTreeReader
from iommu_inspect.sources.text.parts.libvirt.xml import NodeXmlReader
from iommu_inspect.sources.text.parts.links import LinkReader
from iommu_inspect.sources.text.parts.log.reader import LogReader
from iommu_inspect.sources.text.parts.lshw import LshwReader
from iommu_inspect.sources.text.parts.lspci.fields import FieldReader
from iommu_inspect.sources.text.parts.lspci.topology import TopologyReader
from iommu_inspect.sources.text.parts.modprobe import ModprobeReader
from iommu_inspect.sources.text.parts.tables import TableReader
from iommu_inspect.sources.text.parts.uname import UnameReader
from iommu_inspect.sources.text.said import CUT, Line, Reader, Said

__all__ = ["Paste", "Strange", "cut"]

_READERS: tuple[Callable[[], Reader], ...] = (
    LogReader,
    NodeXmlReader,
    NodeTreeReader,
    CommandLineReader,
    UnameReader,
    ModprobeReader,
    DriverctlReader,
    DevbindReader,
    LshwReader,
    IommuTreeReader,
    FieldReader,
    EntryReader,
    TableReader,
    TopologyReader,
    LinkReader,
    DeviceReader,
)
# What a line begins with that is about devices, though nobody understood it. Prose
# speaks of devices further on.
_ABOUT_DEVICES = re.compile(
    rf"\W*(?:\w+[:=]?\s+)?(?:{ADDRESS}(?![\w:])|IOMMU group #?\d|Kernel driver in use)",
    re.I,
)
_MAX_LINE = 4096
_NARROWEST = 70


@dataclass(frozen=True, slots=True)
class Strange:
    """A line that is about devices and was not understood."""

    number: int
    text: str


@dataclass(frozen=True, slots=True)
class Paste:
    """What was found in a text.

    ``kinds`` are the kinds of its parts, in the order in which they first appear.
    ``whole_groups`` are those of which the text shows, as a list of groups does, that
    all members were printed. ``open_end`` is true where the text ends with its list of
    devices, of which more may have been cut off.
    """

    said: tuple[Said, ...]
    kinds: tuple[str, ...]
    strange: tuple[Strange, ...]
    filtered: bool
    whole_groups: frozenset[str]
    open_end: bool


def cut(text: str) -> Paste:
    """Read every part of a text."""
    readers = [make() for make in _READERS]
    strange: list[Strange] = []
    took: dict[int, None] = {}
    places = {id(reader): place for place, reader in enumerate(readers)}
    current: Reader | None = None
    open_end = False
    for line in _logical(_parted(clean(text)), readers):
        if not line.text:
            for reader in readers:
                reader.close()
            continue
        taker: Reader | None = None
        first = None if line.prompt else current
        if first is not None and first.take(line):
            taker = first
        else:
            for reader in readers:
                if reader is not first and reader.take(line):
                    taker = reader
                    break
        if taker is not None or not line.bare.endswith(CUT):
            open_end = isinstance(taker, DeviceReader | FieldReader | TopologyReader)
        if taker is None:
            if not line.prompt and _ABOUT_DEVICES.match(line.bare):
                strange.append(Strange(line.number, line.bare))
            continue
        if current is not None and taker is not current:
            current.close()
        current = taker
        took[places[id(taker)]] = None
    devices = next(r for r in readers if isinstance(r, DeviceReader))
    kinds: dict[str, None] = {}
    for place in took:
        reader = readers[place]
        if isinstance(reader, DeviceReader):
            kinds |= dict.fromkeys(
                "listing" if run.listed else "lspci" for run in reader.runs
            )
        else:
            kinds[reader.KIND] = None
    return Paste(
        said=tuple(said for reader in readers for said in reader.said()),
        kinds=tuple(kinds),
        strange=tuple(strange),
        filtered=any(run.filtered for run in devices.runs),
        whole_groups=devices.whole_groups,
        open_end=open_end,
    )


def _parted(lines: list[Line]) -> list[Line]:
    """Part lines that hold several devices: line breaks were lost there."""
    found: list[Line] = []
    for line in lines:
        parts = split_joined(line.text)
        if len(parts) == 1:
            found.append(line)
            continue
        found += [
            replace(
                line,
                text=part.strip() if index else part.rstrip(),
                after_gap=line.after_gap and not index,
            )
            for index, part in enumerate(parts)
        ]
    return found


def _logical(lines: list[Line], readers: Sequence[Reader]) -> list[Line]:
    """Join what was wrapped: a line that begins nothing goes on the one before it."""
    found: list[Line] = []
    pieces: list[str] = []
    size = 0
    joinable = False

    def flush() -> None:
        if len(pieces) > 1:
            found[-1] = replace(found[-1], text=_glued(pieces), wrapped=True)
        pieces.clear()

    begins = [reader.begins for reader in readers]

    def is_first(bare: str) -> bool:
        # A loop, as it is the most of what reading a text takes.
        for begins_one in begins:  # noqa: SIM110
            if begins_one(bare):
                return True
        return False

    for line in lines:
        bare = line.bare
        own = not _continues(pieces, line) and (line.prompt or is_first(bare))
        fits = joinable and not line.after_gap and not line.depth and not own
        fits = fits and _was_wrapped(pieces[-1], bare)
        if fits and size + len(line.text) < _MAX_LINE:
            pieces.append(bare)
            size += len(line.text)
            continue
        flush()
        broken = found and not line.after_gap and _may_be_broken(found[-1], line)
        # The end of the line before, or a heading: nobody can tell.
        found.append(replace(line, text=f"{CUT} {bare}") if broken else line)
        pieces.append(line.text)
        size = len(line.text)
        joinable = (
            own
            and not line.prompt
            and not bare.endswith(CUT)
            and not TopologyReader.begins(bare)  # wrapped, it is lost anyway
        )
    flush()
    return found


def _may_be_broken(before: Line, line: Line) -> bool:
    """Say whether ``IOMMU`` and ``Group 1`` may have stood in one line."""
    return before.bare.endswith("IOMMU") and line.bare[:5].lower() == "group"


def _was_wrapped(before: str, after: str) -> bool:
    """Say whether a line can be where it is because it did not fit on the one before.

    Mail programs wrap at some seventy columns and more; words of a person that follow a
    short line are none of it.
    """
    word = after.partition(" ")[0]
    return len(before.expandtabs(8)) + 1 + len(word) > _NARROWEST


def _continues(pieces: list[str], line: Line) -> bool:
    """Say whether the line before this one cannot have ended where it does."""
    if not pieces or line.after_gap:
        return False
    before = pieces[-1].rstrip()
    if pieces[0].strip().startswith("Flags: "):
        return before.endswith((",", "IOMMU", "IOMMU group"))
    return before.endswith(" iommu group")


def _glued(pieces: list[str]) -> str:
    """Join the pieces of a line as they were before it was wrapped.

    A number that may go on in the next line is not known.
    """
    text = pieces[0].rstrip()
    for piece in pieces[1:]:
        if text[-1:].isdigit() and piece[:1].isdigit():
            between = CUT
        elif text[-1:] == "-" and text[-2:-1].isalnum() and piece[:1].islower():
            between = ""
        else:
            between = " "
        text += between + piece.strip()
    return text
