"""What a text says: lines, and what each kind of text makes of them.

A reader says facts about one device, or about the host. What several readers say of
one device is joined by its address (``joining.py``): equal facts are one, and of facts
that contradict each other none is true.
"""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar, Protocol

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Acs, PciIds, SrIov
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.identity import DeviceId

__all__ = [
    "CUT",
    "DeviceFacts",
    "HostFacts",
    "Line",
    "Reader",
    "Said",
]

CUT = "\N{HORIZONTAL ELLIPSIS}"
"""Ends a line of which more may have been there: the last one of a text that does not
end with a line break, or one that a program cut off at the edge of its window. What
stands before it is a whole word only if another word follows."""


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a text as a program printed it, once what the way added is off.

    ``number`` counts the lines of the text from 1. ``text`` has no marks of quoting or
    formatting, no colours, and plain spaces or tabs; ``depth`` is how many columns it
    is indented, and ``bare`` the text without indentation and trailing space.
    ``prompt`` is true where a shell's prompt stood before it; ``after_gap`` where an
    empty line or the beginning of the text is before it; ``wrapped`` where it was
    joined of several; ``item`` where the mark of an item of a list stood before it.
    """

    number: int
    text: str
    depth: int = 0
    prompt: bool = False
    after_gap: bool = False
    wrapped: bool = False
    item: bool = False

    @property
    def bare(self) -> str:
        """The text without indentation and trailing space."""
        return self.text.strip()


@dataclass(frozen=True, slots=True)
class DeviceFacts:
    """What a text says of one device; the fields are those of `Device`.

    ``group`` and ``driver`` are ``None`` only where the text shows that there is none.
    ``buses`` are the first and the last bus below a bridge. ``parent`` is the function
    right above it, ``None`` on a root bus. ``direct`` are regions of memory that
    firmware wants mapped one to one for it, first and last byte. ``nodes`` are names
    of network interfaces and block devices. ``enabled_vfs`` is how many virtual
    functions are on, ``acs_listed`` whether lspci lists ACS, with its registers or not.
    ``slot`` is the slot that a card is in, ``label`` what firmware calls it.
    """

    name: Fact[str] = Missing.ABSENT
    ids: PciIds = field(default_factory=PciIds)
    driver: Fact[str | None] = Missing.ABSENT
    group: Fact[str | None] = Missing.ABSENT
    header_type: Fact[int] = Missing.ABSENT
    multifunction: Fact[bool] = Missing.ABSENT
    pcie_type: Fact[int | None] = Missing.ABSENT
    acs: Fact[Acs | None] = Missing.ABSENT
    acs_listed: Fact[bool] = Missing.ABSENT
    sriov: Fact[SrIov | None] = Missing.ABSENT
    enabled_vfs: Fact[int] = Missing.ABSENT
    physfn: Fact[DeviceId | None] = Missing.ABSENT
    hotplug_slot: Fact[bool] = Missing.ABSENT
    buses: Fact[tuple[int, int]] = Missing.ABSENT
    parent: Fact[DeviceId | None] = Missing.ABSENT
    answers: Fact[bool] = Missing.ABSENT
    direct: tuple[tuple[int, int], ...] = ()
    nodes: tuple[str, ...] = ()
    slot: Fact[str] = Missing.ABSENT
    label: Fact[str] = Missing.ABSENT


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a text says of the host: its kernel, how that was started, its settings.

    ``board`` is what the firmware calls the machine. ``firmware_tables`` are those of
    the ACPI tables that describe IOMMUs (``DMAR``, ``IVRS``, ``IORT``, ``VIOT``) that
    it names. ``processor`` is ``intel``, ``amd`` or ``arm``. ``translates`` says
    whether the kernel says that an IOMMU is in use, ``remaps_interrupts`` whether
    interrupts are remapped. ``modprobe`` holds lines as in modprobe.d.
    """

    release: Fact[str] = Missing.ABSENT
    command_line: Fact[str] = Missing.ABSENT
    board: Fact[str] = Missing.ABSENT
    processor: Fact[str] = Missing.ABSENT
    guest: Fact[bool] = Missing.ABSENT
    translates: Fact[bool] = Missing.ABSENT
    remaps_interrupts: Fact[bool] = Missing.ABSENT
    firmware_tables: tuple[str, ...] = ()
    modprobe: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Said:
    """Facts about one device (``None``: about the host), and the line that they are of.

    ``by_bytes`` is true where they were read from a dump of registers, which counts
    more than words.
    """

    line: int
    device: DeviceId | None
    facts: DeviceFacts = DeviceFacts()
    host: HostFacts = HostFacts()
    by_bytes: bool = False


class Reader(Protocol):
    """Reads one part of a text: lines of one kind, in the order of the text.

    A reader is made for each part; it is offered lines for as long as it takes them.
    ``KIND`` is what the part is called in documents and messages (``lspci``,
    ``listing``, ``dmesg``, ...).
    """

    KIND: ClassVar[str]

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line can begin something of this kind.

        It has to be strict: a line of which nobody says so goes on the line before it,
        as mailers wrap lines.

        Args:
            bare: A line without indentation.
        """

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of this kind."""

    def close(self) -> None:
        """Take note that something else follows, or a command of its own."""

    def said(self) -> tuple[Said, ...]:
        """Return what the lines that were taken say."""
