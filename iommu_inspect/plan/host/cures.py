"""Cures that rules name, written out: what to look at, to load, to write down."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from iommu_inspect.model.fact import known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.moves import Decision, Move
from iommu_inspect.rules import _cures as cures

__all__ = ["cure_lines", "fitting_lines"]

_NOT_WRITTEN = "# no command: there would be a name in it that none is written with"


def cure_lines(cure: cures.Cure) -> tuple[str, ...]:
    """Return a cure as lines to be copied: commands, or a line for a file.

    Where a name of the source is one that no command is written with, a comment says
    so, without the name.
    """
    try:
        return _lines(cure)
    except shell.UnwritableError:
        return (_NOT_WRITTEN,)


def fitting_lines(
    found: Iterable[cures.Cure], moves: Iterable[Move]
) -> tuple[str, ...]:
    """Write the cures of a refusal, without those that bind what is not to be bound.

    A rule does not know what is decided about a device; ``moves`` do.
    """
    decided = tuple(moves)
    fit = (cure for cure in found if _fits(cure, decided))
    return tuple(line for cure in fit for line in cure_lines(cure))


def _fits(cure: cures.Cure, moves: Iterable[Move]) -> bool:
    if not isinstance(cure, cures.ByAddress | cures.ProbeAgain):
        return True
    return any(
        move.device.id == cure.device
        and cure.driver == (move.becomes if move.changes else move.device.driver)
        and move.decision in (Decision.MOVES, Decision.STAYS)
        for move in moves
    )


def _lines(cure: cures.Cure) -> tuple[str, ...]:
    match cure:
        case cures.Look(what, about):
            return (_LOOKS[what](about),)
        case cures.SetParameter(module, parameter, on):
            names = f"{shell.module(module)}/parameters/{shell.module(parameter)}"
            return (shell.echo("Y" if on else "N", f"/sys/module/{names}"),)
        case cures.LoadModule(module):
            return (f"modprobe {shell.module(module)}",)
        case cures.StopUsing(UseKind.SWAP, what):
            return (f"swapoff {shell.path(what)}",)
        case cures.StopUsing(UseKind.FILE_SYSTEM, what):
            return (f"umount {shell.path(what)}",)
        case cures.StopUsing(UseKind.MEDIATED, what):
            return (shell.echo("1", shell.sysfs(DeviceId(what, "mdev"), "remove")),)
        case cures.StopUsing():
            return ()
        case cures.ByAddress(device, driver):
            words = f"{shell.device(device)} {shell.driver(driver)}"
            return (f"driverctl set-override {words}",)
        case cures.ProbeAgain(device, driver):
            probe = f"/sys/bus/{shell.name(device.bus)}/drivers_probe"
            return (
                f"modprobe {shell.module(driver)}",
                shell.echo(shell.device(device), probe),
            )
        case cures.ClearOverride(device):
            return (shell.echo("", _file(device, "driver_override")),)
        case cures.RemoveVirtualFunctions(device):
            return (shell.echo("0", _file(device, "sriov_numvfs")),)
        case cures.WriteLine(_, line):
            return (shell.file_line(line),)
        case cures.TakeSnapshot():
            return ("iommu-inspect snapshot host.tgz",)
        case cures.AnotherSlot():
            return ()  # elsewhere.py says which


def _file(about: DeviceId | str, *name: str) -> shell.Word:
    return shell.sysfs(_device(about), *name)


def _device(about: DeviceId | str) -> DeviceId:
    """Return a device; one whose bus is not told may be looked for on PCI."""
    if isinstance(about, DeviceId) and known(about.bus):
        return about
    return DeviceId(str(about), "pci")


def _group(about: DeviceId | str) -> str:
    return f"/sys/kernel/iommu_groups/{shell.group(about)}"


_MEMBERS = "iommu_group/devices"
_REGIONS = "iommu_group/reserved_regions"
_TYPE = "iommu_group/type"
_Write = Callable[[DeviceId | str], str]
_LOOKS: dict[cures.Looking, _Write] = {
    cures.Looking.BOOT_DISPLAY: lambda _: "grep . /sys/bus/pci/devices/*/boot_vga",
    cures.Looking.DRIVER: lambda d: f"readlink {_file(d, 'driver')}",
    cures.Looking.FRAMEBUFFER: lambda _: (
        "grep -e BOOTFB -e efifb -e simpledrm /proc/iomem"
    ),
    cures.Looking.HOLDERS: lambda node: f"fuser -v {shell.path(str(node))}",
    cures.Looking.GROUP_TYPE: lambda d: f"cat {_file(d, _TYPE)}",
    cures.Looking.INTERRUPTS: lambda _: "grep -H . /sys/kernel/irq/*/chip_name",
    cures.Looking.IOMMU_CAPABILITY: lambda unit: (
        f"cat /sys/class/iommu/{shell.name(unit)}/intel-iommu/cap"
    ),
    cures.Looking.IOMMU_GROUP: lambda d: f"readlink {_file(d, 'iommu_group')}",
    cures.Looking.KERNEL_LOG: lambda word: f"dmesg | grep -i {shell.name(word)}",
    cures.Looking.MEMBERS: lambda group: f"ls -l {_group(group)}/devices",
    cures.Looking.MODULE: lambda name: f"ls -d /sys/module/{shell.module(name)}",
    cures.Looking.MOUNTS: lambda _: "findmnt --real",
    cures.Looking.NAMES: lambda d: (
        f"ls -l /sys/class/net /sys/block | grep -F {shell.device(_device(d))}"
    ),
    cures.Looking.NEIGHBOURS: lambda d: f"ls {_file(d, _MEMBERS)}",
    cures.Looking.NODE: lambda group: f"ls -l /dev/vfio/{shell.group(group)}",
    cures.Looking.POOL: lambda pool: f"zpool status -P {shell.word(str(pool))}",
    cures.Looking.REGIONS_OF: lambda d: f"cat {_file(d, _REGIONS)}",
    cures.Looking.RESERVED_REGIONS: lambda g: f"cat {_group(g)}/reserved_regions",
    cures.Looking.RESET_METHODS: lambda d: f"cat {_file(d, 'reset_method')}",
    cures.Looking.ROUTES: lambda _: "ip route show default",
    cures.Looking.SETTINGS: lambda file: f"grep -n vfio {shell.path(str(file))}",
    cures.Looking.STANDING_ON: lambda _: (
        "find /sys/devices/virtual -path '*/slaves/*' -o -name 'lower_*'"
    ),
    cures.Looking.SWAPS: lambda _: "swapon --show",
}
