"""The one place that makes text for a shell: of names that were checked, or quoted.

Names come from a source that anybody may have made. Those that the kernel gives have an
alphabet in which no shell sees anything but a word: what passes the check is written as
it is; for what does not ``UnwritableError`` is raised, and no command is written. Those
that people choose (mount points, files, pools) have none: they are quoted as POSIX has
it, and refused if they hold what no terminal shows, or look like an option.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable

from iommu_inspect.model.device import Device
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.text import printable

__all__ = [
    "UnwritableError",
    "Word",
    "asking",
    "comment",
    "device",
    "driver",
    "echo",
    "file_line",
    "group",
    "module",
    "name",
    "path",
    "saying",
    "sysfs",
    "word",
]

# None of these begins with "-" or ".", has a "/", or is longer than a file's name.
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,:@+-]{0,254}")
_DRIVER = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,+-]{0,254}")
_MODULE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,254}")
_NUMBER = re.compile(r"[0-9]{1,20}")
# What a comment of a script may show of a name: zsh reads no comments at its prompt.
_LOUD = re.compile(r"[^A-Za-z0-9 .,:/@+_-]")
# A line for a file that is pasted into a shell by mistake does nothing there: it has
# only plain characters, and its first word is no program.
_PLAIN_LINE = re.compile(r"[A-Za-z0-9_.,:=/@ -]{1,4096}")
_FIRST_WORDS = frozenset(
    {"alias", "blacklist", "options", "softdep", "weakdep", "@kvm"}
    | {"pci-stub", "pci_stub", "vfio", "vfio-pci", "vfio_pci", "vfio_iommu_type1"}
)
_UDEV_RULE = re.compile(
    r'SUBSYSTEM=="vfio", KERNEL=="[0-9]{1,20}", GROUP="kvm", MODE="0660"'
)


class UnwritableError(ValueError):
    """Why a name or a text is in no command, as half a sentence."""


class Word(str):
    """A word that may stand in a command as it is: it was checked, or quoted."""

    __slots__ = ()


def _checked(pattern: re.Pattern[str], text: object) -> Word:
    if not isinstance(text, str):
        raise UnwritableError("a name that it needs is not in the source")
    if pattern.fullmatch(text) is None:
        raise _strange(text)
    return Word(text)


def _strange(text: str) -> UnwritableError:
    return UnwritableError(f"{printable(text)!r} is no name that a command may hold")


def name(text: object) -> Word:
    """Return a name that the kernel gives: a bus, an IOMMU unit, a device.

    Raises:
        UnwritableError: it is none.
    """
    return _checked(_NAME, text)


def device(about: Device | DeviceId) -> Word:
    """Return the name that a device has on its bus; on PCI's that is an address.

    Raises:
        UnwritableError: the bus gives no such names, or is not told.
    """
    which = about.id if isinstance(about, Device) else about
    if not isinstance(which.bus, str):
        where = f"which bus {printable(which.name)} is on"
        raise UnwritableError(f"{where} is not in the source")
    name(which.bus)
    if which.bus == "pci" and which.pci is None:
        raise _strange(which.name)
    return name(which.name)


def driver(text: object) -> Word:
    """Return the name of a driver.

    Raises:
        UnwritableError: no driver is called so.
    """
    return _checked(_DRIVER, text)


def module(text: object) -> Word:
    """Return the name of a module.

    Raises:
        UnwritableError: no module is called so.
    """
    return _checked(_MODULE, text)


def group(text: object) -> Word:
    """Return the id of an IOMMU group.

    Raises:
        UnwritableError: it is no number.
    """
    return _checked(_NUMBER, text)


def word(text: str) -> Word:
    """Quote free text as POSIX has it.

    Raises:
        UnwritableError: it is empty, may be taken for an option, or holds what a
            terminal does not show, or bytes that are no UTF-8.
    """
    if not text or text.startswith("-") or text != printable(text):
        raise _strange(text)
    return Word(shlex.quote(text))


def path(text: str) -> Word:
    """Quote the path of a file, which begins at the root.

    Raises:
        UnwritableError: it does not, or cannot be quoted.
    """
    if not text.startswith("/"):
        raise _strange(text)
    return word(text)


def sysfs(about: Device | DeviceId, *more: str) -> Word:
    """Return the path of a device's directory, or of something in it.

    Raises:
        UnwritableError: the device has no name for it.
    """
    which = about.id if isinstance(about, Device) else about
    return Word("/".join((f"/sys/bus/{which.bus}/devices/{device(which)}", *more)))


def echo(what: Word | str, file: str) -> str:
    """Write a checked name to a file; an empty one writes a newline.

    ``echo`` of dash makes control characters of what follows a backslash, and takes
    "-n" for an option: a name that was checked has neither.
    """
    if what:
        what = _checked(_NAME, what)
    return f"echo{' ' if what else ''}{what} > {_checked(_SYSFS_FILE, file)}"


_SYSFS_FILE = re.compile(r"/sys(/(?!\.)[A-Za-z0-9_.,:@+-]+)+")


def saying(text: str) -> str:
    """Return the command that says a sentence on standard error.

    It is ``printf``, since ``echo`` of dash interprets backslashes.
    """
    return f"printf '%s\\n' {shlex.quote(printable(text))} >&2"


def comment(text: str) -> str:
    """Return what a comment may show of a text: nothing in it means anything."""
    return _LOUD.sub("?", text)


def file_line(text: str) -> str:
    """Return a line to be copied into a file.

    Raises:
        UnwritableError: pasted into a shell by mistake it may do something.
    """
    if _UDEV_RULE.fullmatch(text):
        return text
    first, *more = text.split(" ")
    if not _PLAIN_LINE.fullmatch(text) or (
        first not in _FIRST_WORDS and (more or "=" not in first)
    ):
        raise _strange(text)
    return text


def asking(command: str, words: Iterable[str]) -> str:
    """Return the line that asks this program about targets.

    Raises:
        UnwritableError: one of them cannot be quoted.
    """
    return " ".join([f"iommu-inspect {command}", *map(word, words)])
