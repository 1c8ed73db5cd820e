"""What is set otherwise on the host: kernel, command line, vfio, where both tell."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import fields

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, known
from iommu_inspect.model.host.settings import ModprobeLine
from iommu_inspect.model.machine import Machine

__all__ = ["SettingChange", "setting_changes"]

# Words that name the disk or the image of a boot. Those are others on each machine,
# after each update, and in captures without names; no answer hangs on them.
_OF_BOOT = (
    "BOOT_IMAGE",
    "cryptdevice",
    "initrd",
    "rd.luks",
    "rd.lvm",
    "rd.md",
    "resume",
    "root",
)


@dataclass(frozen=True, slots=True)
class SettingChange:
    """One setting: what it was, and what it is. Of a list, what differs of it."""

    name: str
    before: tuple[str, ...]
    after: tuple[str, ...]


def setting_changes(before: Machine, after: Machine) -> tuple[SettingChange, ...]:
    """Return what differs, in a fixed order."""
    return tuple(_changes(before, after))


def _changes(before: Machine, after: Machine) -> Iterator[SettingChange]:
    yield from _changed("kernel", before.kernel.release, after.kernel.release)
    yield from _listed("command line", _words(before), _words(after))
    remapping = [m.interrupt_remapping for m in (before, after)]
    yield from _changed(
        "interrupt remapping",
        *(each.value if known(each) else each for each in remapping),
    )
    for each in fields(before.vfio):
        values = (getattr(m.vfio, each.name) for m in (before, after))
        yield from _changed(f"vfio {each.name}", *map(_yes_or_no, values))
    yield from _listed("modprobe.d", _lines(before), _lines(after))


def _changed(name: str, before: Fact[str], after: Fact[str]) -> Iterator[SettingChange]:
    if known(before) and known(after) and before != after:
        yield SettingChange(name, (before,), (after,))


def _listed(
    name: str, before: Fact[tuple[str, ...]], after: Fact[tuple[str, ...]]
) -> Iterator[SettingChange]:
    if known(before) and known(after):
        gone, new = Counter(before) - Counter(after), Counter(after) - Counter(before)
        if gone or new:
            yield SettingChange(name, tuple(gone.elements()), tuple(new.elements()))


def _yes_or_no(fact: Fact[bool]) -> Fact[str]:
    return ("yes" if fact else "no") if known(fact) else fact


def _words(machine: Machine) -> Fact[tuple[str, ...]]:
    words, line = machine.settings.command_line, machine.kernel.command_line
    if known(words):
        return _kept(word.text for word in words)
    return _kept(line.split()) if known(line) else line


def _kept(words: Iterable[str]) -> tuple[str, ...]:
    return tuple(word for word in words if not word.startswith(_OF_BOOT))


def _lines(machine: Machine) -> Fact[tuple[str, ...]]:
    """Return the lines of modprobe.d that speak of vfio or keep a driver away."""
    found = machine.settings.modprobe
    if not known(found):
        return found
    return tuple(" ".join(_text(line)) for line in found.lines if _matters(line))


def _text(line: ModprobeLine) -> tuple[str, ...]:
    return (line.command, *line.arguments)


def _matters(line: ModprobeLine) -> bool:
    words = [word.lower() for word in _text(line)]
    return line.command == "blacklist" or any(
        name in word for word in words for name in ("vfio", "iommu", "pci-stub")
    )
