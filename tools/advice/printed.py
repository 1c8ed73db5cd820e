"""What printed commands do, read back from the text: the steps that somebody takes.

It knows the commands that the program writes and no others; a line that it does not
know is an error, so that no new kind of command slips by unread.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

__all__ = ["Printed", "UnknownCommandError", "of_boot", "of_script", "printed"]

_SYSFS = re.compile(
    r"/sys/bus/(?P<bus>[^/]+)/(?:devices/(?P<device>[^/]+)/(?P<file>driver_override"
    r"|driver/unbind|sriov_numvfs)|drivers/(?P<driver>[^/]+)/(?P<act>bind|unbind)"
    r"|(?P<probe>drivers_probe))"
)
_UNSAFE = "/sys/module/vfio_iommu_type1/parameters/allow_unsafe_interrupts"
_MEDIATED = re.compile(r"/sys/bus/mdev/devices/(?P<device>[^/]+)/remove")
_PARAMETER = re.compile(r"/sys/module/\w+/parameters/\w+")
# What only looks, by the first word.
_LOOKS = ("cat", "dmesg", "findmnt", "grep", "ip", "ls", "readlink", "swapon", "zpool")


class UnknownCommandError(ValueError):
    """A line that no printed command looks like."""


@dataclass(frozen=True, slots=True)
class Printed:
    """One command; its verb is one of those below.

    override, unbind, bind, probe, vfs, remove (of a device), load, unsafe, parameter.

    ``device`` and ``driver`` are empty where the verb has none.
    """

    verb: str
    device: str = ""
    driver: str = ""
    bus: str = "pci"

    @property
    def touches(self) -> bool:
        """Say whether it does something to a device."""
        return bool(self.device)


def printed(lines: Iterable[str]) -> list[Printed]:
    """Read commands, one a line.

    Raises:
        UnknownCommandError: a line is no command that is known.
    """
    return [step for line in lines for step in _line(line.strip())]


def _line(line: str) -> Iterator[Printed]:
    if line.startswith("[ ! -e "):
        line = line.partition(" || ")[2]
    words = shlex.split(line, comments=True)
    if not words or words[0] in _LOOKS or words[0] == "iommu-inspect":
        return
    match words:
        case ["echo", "1", ">", file] if found := _MEDIATED.fullmatch(file):
            yield Printed("remove", found["device"], bus="mdev")
        case ["modprobe", module]:
            yield Printed("load", driver=module)
        case ["echo", "Y" | "N" as on, ">", file] if file == _UNSAFE:
            yield Printed("unsafe", driver=on)
        case ["echo", "Y" | "N" as on, ">", file] if _PARAMETER.fullmatch(file):
            yield Printed("parameter", driver=on)
        case ["echo", ">", file]:
            yield _write("", file, line)
        case ["echo", word, ">", file]:
            yield _write(word, file, line)
        case ["driverctl", *options]:
            yield _driverctl(options, line)
        case _:
            raise UnknownCommandError(line)


def _write(word: str, file: str, line: str) -> Printed:
    found = _SYSFS.fullmatch(file)
    if found is None:
        raise UnknownCommandError(line)
    bus, device = found["bus"], found["device"]
    if found["probe"]:
        return Printed("probe", word, bus=bus)
    if found["act"]:
        return Printed(found["act"], word, found["driver"], bus)
    if found["file"] == "driver_override":
        return Printed("override", device, word, bus)
    if found["file"] == "sriov_numvfs":
        return Printed("vfs", device, word, bus)
    if word != device:
        raise UnknownCommandError(line)
    return Printed("unbind", device, "", bus)


def _driverctl(options: list[str], line: str) -> Printed:
    words = [word for word in options if word != "--nosave"]
    bus = "pci"
    if words[:1] == ["-b"]:
        bus, words = words[1], words[2:]
    match words:
        case ["set-override", device, driver]:
            return Printed("override", device, driver, bus)
        case ["unset-override", device]:
            return Printed("override", device, "", bus)
    raise UnknownCommandError(line)


def of_script(text: str, function: str) -> list[Printed]:
    """Read what a function of the printed script (``there``, ``back``) does."""
    body = re.search(rf"^{function}\(\) {{\n(.*?)^}}", text, re.MULTILINE | re.DOTALL)
    found = []
    for line in body[1].splitlines() if body else ():
        words = shlex.split(line, comments=True)
        match words:
            case [] | [":"] | ["printf", _, _, ">&2"]:
                continue
            case ["load", _, module]:
                found.append(Printed("load", driver=module))
            case ["override", bus, device, driver]:
                found.append(Printed("override", device, driver, bus))
            case ["release", bus, device, *driver]:
                found.append(Printed("unbind", device, "".join(driver), bus))
            case ["probe" | "find", bus, device, *_]:
                found.append(Printed("probe", device, bus=bus))
            case ["bind", bus, device, driver]:
                found.append(Printed("bind", device, driver, bus))
            case ["echo", "Y" | "N" as on, ">", file] if file == _UNSAFE:
                found.append(Printed("unsafe", driver=on))
            case ["[", "!", "-e", file, "]", "||", "echo", on, ">", _] if (
                file == _UNSAFE
            ):
                found.append(Printed("unsafe", driver=on))
            case _:
                raise UnknownCommandError(line)
    return found


_IDS = re.compile(r"\bids=(?P<ids>[0-9a-f:,]+)")
_KEPT = re.compile(
    r"d=/sys/bus/pci/devices/(?P<device>[0-9a-f:.]+);(?P<rest>.*?)echo (?P<driver>\S+)"
    r" > \$d/driver_override"
)


def of_boot(lines: Iterable[str]) -> tuple[set[str], dict[str, str]]:
    """Return the ids that settings for every boot name, and overrides by address."""
    ids: set[str] = set()
    overrides = {}
    for line in lines:
        if line.startswith("#"):
            continue
        for found in _IDS.finditer(line):
            ids |= set(found["ids"].split(","))
        for kept in _KEPT.finditer(line):
            overrides[kept["device"]] = kept["driver"]
    return ids, overrides
