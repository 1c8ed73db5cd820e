"""Whose IOMMU a host has, and which words turn it on or off."""

from __future__ import annotations

import enum
import re

from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.platform import Architecture
from iommu_inspect.model.host.settings import Word
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_DISPLAY,
    PCI_CLASS_BRIDGE_HOST,
    PCI_CLASS_SERIAL_USB,
)

__all__ = ["Maker", "asks_for_vtd", "iommu_maker", "knows_relax_rmrr", "turned_off"]


class Maker(enum.Enum):
    """Whose IOMMU it is; the value is the word that a message uses."""

    INTEL = "Intel"
    AMD = "AMD"
    ARM = "Arm"


_TABLES = {"DMAR": Maker.INTEL, "IVRS": Maker.AMD, "IORT": Maker.ARM}
_UNITS = {"dmar": Maker.INTEL, "ivhd": Maker.AMD, "smmu": Maker.ARM}
_PROCESSORS = {"intel": Maker.INTEL, "amd": Maker.AMD}
# Intel, AMD and Hygon, by the vendor of the host bridge.
_BRIDGES = {0x8086: Maker.INTEL, 0x1022: Maker.AMD, 0x1D94: Maker.AMD}
_QEMU = 0x1AF4
# Whose driver obeys iommu=off and its like (arch/x86/kernel/pci-dma.c); on Arm it is
# nobody's word, and nothing on the command line turns an SMMU off.
_OFF = {
    Maker.INTEL: ("iommu", "intel_iommu"),
    Maker.AMD: ("iommu", "amd_iommu"),
    Maker.ARM: (),
    None: ("iommu", "intel_iommu", "amd_iommu"),
}


def iommu_maker(machine: Machine) -> Maker | None:
    """Tell whose IOMMU the machine has, or could have; ``None`` where that is not told.

    What firmware describes or the kernel runs counts before the processor: a virtual
    machine on one of AMD's can have an IOMMU of Intel's.
    """
    names = [unit.name for unit in value_or(machine.iommus, ())]
    found = {_TABLES[t] for t in value_or(machine.firmware_tables, ()) if t in _TABLES}
    found |= {maker for word, maker in _UNITS.items() if any(word in n for n in names)}
    if len(found) == 1:
        return found.pop()
    if found:
        return None
    processor = machine.processor
    if known(processor):
        if processor.architecture is Architecture.ARM:
            return Maker.ARM
        maker = processor.maker
        return _PROCESSORS.get(maker) if known(maker) else None
    return None if machine.guest is True else _by_bridge(machine)


def _by_bridge(machine: Machine) -> Maker | None:
    for device in machine.devices:
        if device.is_pci and device.address == "0000:00:00.0":
            ids = device.ids
            real = ids.subsystem_vendor != _QEMU
            if device.base_class == PCI_CLASS_BRIDGE_HOST and real:
                return _BRIDGES.get(ids.vendor) if known(ids.vendor) else None
    return None


def turned_off(words: Fact[tuple[Word, ...]], maker: Maker | None) -> tuple[str, ...]:
    """Return the words of the command line that turn the IOMMU off.

    ``intel_iommu=`` is read from left to right, and the last ``on`` or ``off`` counts;
    the others know no word that takes an ``off`` back.
    """
    given = [w for w in value_or(words, ()) if w.key in _OFF[maker]]
    off = [w for w in given if "off" in _options(w)]
    if _last_of_vtd(given) == "on":
        off = [w for w in off if w.key != "intel_iommu"]
    return tuple(dict.fromkeys(w.text for w in off))


def asks_for_vtd(words: Fact[tuple[Word, ...]]) -> bool:
    """Say whether the command line turns VT-d on."""
    return _last_of_vtd(value_or(words, ())) == "on"


def _last_of_vtd(words: tuple[Word, ...] | list[Word]) -> str:
    said = [
        option
        for word in words
        if word.key == "intel_iommu"
        for option in _options(word)
        if option in ("on", "off")
    ]
    return said[-1] if said else ""


def _options(word: Word) -> list[str]:
    """Return a word's options, those that begin with one as that one.

    The kernel compares beginnings (``strncmp()``), so that ``offline`` is ``off``.
    """
    return [
        next((o for o in ("on", "off") if option.startswith(o)), option)
        for option in (word.value or "").split(",")
    ]


# Proxmox's kernels carry the patch for relax_rmrr; Debian's do not (linux-source-6.12).
_PATCHED = re.compile(r"-pve\b")
_UNPATCHED = re.compile(r"\+deb\d+|-\d+-(?:cloud-|rt-)?amd64$")


def knows_relax_rmrr(machine: Machine) -> Fact[bool]:
    """Say whether the kernel has the patch for ``intel_iommu=relax_rmrr``.

    A region that is relaxable though no USB controller or display is in its group
    shows it (``device_rmrr_is_relaxable()`` in drivers/iommu/intel/iommu.c names only
    those two kinds).
    """
    release = value_or(machine.kernel.release, "")
    if _PATCHED.search(release) or any(map(_was_relaxed, machine.groups)):
        return True
    return False if _UNPATCHED.search(release) else Missing.ABSENT


def _was_relaxed(group: Group) -> bool:
    regions = value_or(group.reserved_regions, ())
    if not any(region.kind == "direct-relaxable" for region in regions):
        return False
    classes = [value_or(device.ids.class_code, None) for device in group.devices]
    return bool(classes) and all(
        code is not None
        and code >> 8 != PCI_CLASS_SERIAL_USB
        and code >> 16 != PCI_BASE_CLASS_DISPLAY
        for code in classes
    )
