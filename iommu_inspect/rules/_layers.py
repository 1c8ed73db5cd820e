"""Which layer is missing where no device of a host has an IOMMU group."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known, unread, value_or
from iommu_inspect.model.host.platform import IortNode, XenRole
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._cures import Cure, Look, Looking, TakeSnapshot, WriteLine
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.finding import Certainty
from iommu_inspect.settings.maker import Maker, asks_for_vtd, iommu_maker, turned_off

__all__ = ["Layer", "missing_layer"]

_ASKED = "intel_iommu=on"
_MOST_NAMES = 3


@dataclass(frozen=True, slots=True)
class Layer:
    """Which layer is missing, how sure that is, and what would help.

    ``final``: nothing that is done on this host would.
    """

    message: str
    remedy: str
    certainty: Certainty = Certainty.DERIVED
    cures: tuple[Cure, ...] = ()
    final: bool = False


def _names(words: Iterable[str]) -> str:
    return listed(shown(word) for word in words)


def missing_layer(machine: Machine) -> Layer:
    """Say which layer is missing where no device has a group: our own conclusion."""
    if not machine.groups_known:
        return Layer(
            _on_vfio_all_the_same(machine)
            or "The source holds no trace of IOMMU groups: whether the host has none, "
            "or they were not captured, cannot be told.",
            "Capture /sys/kernel/iommu_groups and the devices' iommu_group links too; "
            "a snapshot that is made on the host has them.",
            Certainty.UNKNOWN,
            (TakeSnapshot(),),
        )
    if machine.unlisted or any(unread(device.group) for device in machine.devices):
        return Layer(
            "No device is seen to have an IOMMU group, but not all could be read: "
            "whether there is an IOMMU cannot be told.",
            "Look on the host itself, as root.",
            Certainty.UNKNOWN,
        )
    maker = iommu_maker(machine)
    units, tables = machine.iommus, machine.firmware_tables
    if unread(machine.xen):
        return Layer(
            "No device has an IOMMU group; whether this is Xen's dom0, where none ever "
            "has, could not be read.",
            "Look on the host itself, as root.",
            Certainty.UNKNOWN,
        )
    if machine.xen is XenRole.UNTOLD and not value_or(units, ()):
        return Layer(
            "This is a guest of Xen, or its dom0: neither has an IOMMU of its own.",
            "In dom0 use Xen's own pass-through; a guest of Xen can be given none.",
            final=True,
        )
    if known(units) and units:
        return Layer(
            f"The kernel runs IOMMU units ({_names([u.name for u in units])}), but no "
            "device has a group: translation is off.",
            *_turn_on(machine, maker),
        )
    if known(tables) and tables:
        without = _iort_without_smmu(machine)
        if without is not None:
            return without
        return Layer(
            f"Firmware describes an IOMMU ({', '.join(tables)}), but the kernel runs "
            "no unit.",
            *_turn_on(machine, maker),
        )
    if machine.guest is True:
        return Layer(
            "This is a virtual machine without a virtual IOMMU.",
            "Give the guest one (QEMU: -device intel-iommu,intremap=on with "
            "-machine q35,kernel-irqchip=split; libvirt: <iommu model='intel'>).",
        )
    if known(tables) and machine.guest is False:
        return Layer(
            "Firmware describes no IOMMU: there is no DMAR, IVRS or IORT table.",
            *_in_firmware(machine, maker),
        )
    return Layer(
        "No device has an IOMMU group; whether the firmware offers an IOMMU cannot be "
        "told.",
        *_in_firmware(machine, maker),
    )


def _iort_without_smmu(machine: Machine) -> Layer | None:
    """Arm's table is there without an SMMU too: it also routes interrupts."""
    tables, nodes = value_or(machine.firmware_tables, ()), machine.iort_nodes
    if tables != ("IORT",):
        return None
    if not known(nodes):
        return Layer(
            "Firmware has an IORT table, and the kernel runs no SMMU; whether the "
            "table describes one cannot be told: only root may read it.",
            "Look as root. If it describes none, turn the SMMU on in the firmware's "
            "set-up; if it does, look for the SMMU in the kernel log, and for a kernel "
            "without the driver (CONFIG_ARM_SMMU_V3, CONFIG_ARM_SMMU).",
            cures=(Look(Looking.KERNEL_LOG, "smmu"),),
        )
    if {IortNode.SMMU, IortNode.SMMU_V3} & set(nodes):
        return None
    return Layer(
        "Firmware's IORT table describes no SMMU: it is turned off, or the machine has "
        "none.",
        "Turn the SMMU on in the firmware's set-up, if it has a switch for that; the "
        "kernel needs no parameter for it.",
    )


_Help = tuple[str, Certainty, tuple[Cure, ...]]


def _turn_on(machine: Machine, maker: Maker | None) -> _Help:
    """Say what to do where the firmware has done its part."""
    words = machine.settings.command_line
    off = turned_off(words, maker)
    if off:
        return _help(f"Take {_names(off)} off the kernel command line.")
    if maker is Maker.INTEL:
        if not asks_for_vtd(words):
            return _help(
                f"Boot with {_ASKED}, and with a kernel that has the driver "
                "(CONFIG_INTEL_IOMMU):",
                WriteLine("", _ASKED),
            )
        return _help(
            "The kernel command line asks for it already: look for errors of DMAR in "
            "the kernel log, for newer firmware, and for a kernel without the driver "
            "(CONFIG_INTEL_IOMMU).",
            Look(Looking.KERNEL_LOG, "DMAR"),
        )
    name, driver = _DRIVERS[maker]
    return _help(
        f"Look for errors of {name} in the kernel log, and for a kernel without the "
        f"driver ({driver}){'' if maker is None else '; no parameter turns it on'}.",
        Look(Looking.KERNEL_LOG, "smmu" if maker is Maker.ARM else "iommu"),
    )


_DRIVERS = {
    Maker.AMD: ("AMD-Vi", "CONFIG_AMD_IOMMU"),
    Maker.ARM: ("the SMMU", "CONFIG_ARM_SMMU_V3, CONFIG_ARM_SMMU"),
    None: ("the IOMMU", "CONFIG_INTEL_IOMMU, CONFIG_AMD_IOMMU, CONFIG_ARM_SMMU_V3"),
}
_SWITCHES = {
    Maker.INTEL: "VT-d (not only VT-x)",
    Maker.AMD: "the IOMMU (AMD-Vi; Enabled rather than Auto)",
    Maker.ARM: "the SMMU",
    None: "VT-d, AMD-Vi (IOMMU) or the SMMU",
}


def _in_firmware(machine: Machine, maker: Maker | None) -> _Help:
    """Say what to do where firmware offers none, or may not."""
    words = machine.settings.command_line
    prose = f"Turn on {_SWITCHES[maker]} in the firmware's set-up"
    off = turned_off(words, maker)
    if off:
        return _help(f"{prose}, and take {_names(off)} off the kernel command line.")
    if maker is not Maker.INTEL:
        return _help(f"{prose}.")
    if asks_for_vtd(words):
        return _help(f"{prose}; {_ASKED} is on the kernel command line already.")
    return _help(
        f"{prose}, and boot with {_ASKED}, where the kernel does not turn VT-d on by "
        "itself:",
        WriteLine("", _ASKED),
    )


def _help(prose: str, *cures: Cure) -> _Help:
    return prose, Certainty.DERIVED, cures


def _on_vfio_all_the_same(machine: Machine) -> str:
    """Say what a device on a vfio driver shows where no group is seen.

    A vfio driver binds to a device without a group in no-IOMMU mode alone.
    """
    on_vfio = [d for d in machine.devices if d.is_pci and has_vfio_driver(d) is True]
    if not on_vfio:
        return ""
    names = addresses(on_vfio[:_MOST_NAMES])
    if len(on_vfio) > _MOST_NAMES:
        names = f"{addresses(on_vfio[:1])} and {len(on_vfio) - 1} more"
    verb = "is" if len(on_vfio) == 1 else "are"
    return (
        f"The source holds no trace of IOMMU groups, but {names} {verb} on a vfio "
        "driver: this host has an IOMMU that works, or vfio's no-IOMMU mode is on, "
        "which isolates nothing. Which of the two cannot be told."
    )
