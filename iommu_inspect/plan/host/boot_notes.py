"""What people have to know of the settings for every boot; what the kernel was told."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.model.fact import value_or
from iommu_inspect.model.host.settings import ModprobeConfig, Word
from iommu_inspect.model.host.system import Initramfs
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed, shown
from iommu_inspect.plan.decision.moves import VFIO_PCI, Decision, Move
from iommu_inspect.plan.host.modules import built_in, modules_of
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.rules._words import addresses, verb

__all__ = ["boot_notes", "has_word", "word_notes", "words_of"]


def words_of(machine: Machine, key: str) -> list[Word]:
    """Return the words of a key (with "_") on the kernel's command line."""
    return [w for w in value_or(machine.settings.command_line, ()) if w.key == key]


def has_word(machine: Machine, word: str) -> bool:
    """Say whether a word has its effect on the command line already.

    The last word of a key counts.
    """
    name, _, value = word.partition("=")
    there = words_of(machine, name.replace("-", "_"))
    return bool(there) and there[-1].value == value


def word_notes(
    machine: Machine, words: Iterable[str], absent: Sequence[str]
) -> Iterable[str]:
    """Say what of the words is there already, and which one is to be replaced."""
    there = [word for word in words if word not in absent]
    if there:
        yield f"The kernel's command line has {listed(map(shown, there))} already."
    for word in absent:
        key = word.partition("=")[0].replace("-", "_")
        for old in words_of(machine, key)[-1:]:
            yield (
                f"{shown(word)} is to take the place of {shown(old.text)} on the "
                "command line: of two the kernel takes the last one only."
            )


def boot_notes(
    plan: Plan, to_vfio: Sequence[Move], late: Sequence[Move], freed: Sequence[Move]
) -> Iterable[str]:
    """Say what the settings do not reach, and what else may be set already."""
    virtual = [m for m in late if m.device.pci.is_virtual]
    if virtual:
        what = verb(virtual, "is a virtual function", "are virtual functions")
        it, comes = verb(virtual, "it is", "they are"), verb(virtual, "comes", "come")
        yield (
            f"{_names(virtual)} {what}: {it} not there at boot, but {comes} when "
            "something writes sriov_numvfs. modprobe.d does not reach "
            f"{verb(virtual, 'it', 'them')}; driverctl does."
        )
    for move in late:
        if not move.device.pci.is_virtual:
            yield (
                f"{_names([move])} goes to {shown(move.becomes)}, which takes no ids: "
                "driverctl gives it the device at every boot."
            )
    settled = [m for m in to_vfio if m.decision is Decision.STAYS]
    if settled and any(not modules_of(plan.machine, move.device) for move in settled):
        yield (
            f"{_names(settled)} {verb(settled, 'is', 'are')} on {VFIO_PCI} already: "
            "if other settings see to that at boot, keep one of the two; which driver "
            f"of the host would take {verb(settled, 'it', 'them')} cannot be seen, so "
            f"there is no softdep line for {verb(settled, 'it', 'them')}."
        )
    elsewhere = [move for move in freed if not move.device.is_pci]
    if elsewhere:
        what = verb(elsewhere, "is no PCI function", "are no PCI functions")
        it = verb(elsewhere, "it", "them")
        yield (
            f"{_names(elsewhere)} {what}: modprobe.d does not reach {it}; driverctl "
            f"does, or a unit that unbinds {it}."
        )
    yield from _other_files(plan.machine)
    yield from _about_booster(plan.machine)
    if any(m.decision is Decision.MOVES and m not in late for m in to_vfio):
        yield _about_built_in(plan.machine)


def _other_files(machine: Machine) -> Iterable[str]:
    """Name the lines that say something about vfio-pci already."""
    config = value_or(machine.settings.modprobe, ModprobeConfig())
    lines = [
        line
        for command in ("options", "install")
        for line in config.about(command, "vfio_pci")
    ]
    if lines:
        names = listed(shown(f"{line.file}:{line.number}") for line in lines)
        yield (
            f"{names} is about {VFIO_PCI} too: join it with the lines above. Of two "
            "lists of ids only the last one counts."
        )


def _about_booster(machine: Machine) -> Iterable[str]:
    """Booster loads modules itself, without modprobe and its install lines."""
    if Initramfs.BOOSTER in value_or(machine.system.image_makers, ()):
        yield (
            "booster loads modules without modprobe: an install line does nothing in "
            "its initramfs. Put ids onto the kernel's command line, or use driverctl."
        )


def _about_built_in(machine: Machine) -> str:
    """Say what modprobe.d cannot do for code that is a part of the kernel."""
    later = "driverctl moves the device later, when udev finds it"
    here = built_in(machine, "vfio_pci")
    if here:
        return (
            "vfio-pci is built into this kernel, and does not read modprobe.d: use the "
            f"kernel's command line, or driverctl: {later}."
        )
    text = f"A driver that is built into the kernel binds before any of this: {later}."
    if here is None:
        text += " vfio-pci built in does not read modprobe.d either."
    return text


def _names(moves: Iterable[Move]) -> str:
    return addresses(move.device for move in moves)
