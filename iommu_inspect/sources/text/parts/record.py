"""What a text has about one function, as text; and what was printed in one go."""

from __future__ import annotations

from dataclasses import field
from functools import cached_property

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.sources.text.parts.forms import Entry
from iommu_inspect.sources.text.said import Said

__all__ = ["Record", "Run"]

_MAX_CONFIG = 4096


@dataclass(slots=True)
class Record:
    """The lines about one function.

    ``group`` is that of the heading above it. ``closed`` says that something follows
    the record, so that its end was not cut off; ``wrapped`` that one of its lines was
    joined of several, which may have lost a word. ``indented_drivers`` are those that
    a script names in a line of its own below, ``flat_drivers`` where it is not
    indented: that may be somebody's own words.
    """

    entry: Entry
    number: int
    depth: int
    group: str | None = None
    closed: bool = False
    wrapped: bool = False
    details: list[tuple[str, int]] = field(default_factory=list)
    dump: dict[int, bytes] = field(default_factory=dict)
    indented_drivers: list[str] = field(default_factory=list)
    flat_drivers: list[str] = field(default_factory=list)

    def add(self, detail: str, number: int) -> None:
        """Add a line below the first one, without its indentation."""
        self.details.append((detail, number))

    def add_row(self, offset: int, content: bytes) -> None:
        """Add a row of a dump.

        A row that comes twice and differs is from two moments, or damaged.
        """
        if self.dump.setdefault(offset, content) != content:
            self.dump[offset] = b""

    @property
    def config(self) -> bytes:
        """The bytes from offset 0 up to the first gap."""
        found = bytearray()
        while (row := self.dump.get(len(found))) and len(found) < _MAX_CONFIG:
            found += row
        return bytes(found)


@dataclass
class Run:
    """What one call of a program printed: no function comes twice.

    ``listed`` is true for a list of groups. ``filtered`` says that lines were left
    out, by grep or by hand: then nothing that is not there is known to be absent.
    """

    listed: bool = False
    filtered: bool = False
    records: list[Record] = field(default_factory=list)
    addresses: set[str] = field(default_factory=set)

    def add(self, record: Record) -> None:
        """Add a function that the run does not have yet."""
        self.records.append(record)
        self.addresses.add(record.entry.key)

    @cached_property
    def _facts(self) -> tuple[Said, ...]:
        from iommu_inspect.sources.text.parts.lspci.words import facts_of

        return facts_of(self)

    def said(self) -> tuple[Said, ...]:
        """Return what the run says of each of its functions."""
        return self._facts
