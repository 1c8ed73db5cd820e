"""Cures that rules name, written out: what to look at, to load, to write down."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from shlex import quote as quoted

from iommu_inspect.model.host import UseKind
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.text import printable
from iommu_inspect.plan.decision.moves import Decision, Move
from iommu_inspect.rules import cures

__all__ = ["cure_lines", "fitting_lines"]


def cure_lines(cure: cures.Cure) -> tuple[str, ...]:
    """Return a cure as lines to be copied: commands, or a line for a file.

    None are returned where a name of the source is one that no POSIX shell can be
    given as it stands.
    """
    lines = _lines(cure)
    return lines if all(line == printable(line) for line in lines) else ()


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
            file = f"/sys/module/{module}/parameters/{parameter}"
            return (f"echo {'Y' if on else 'N'} > {quoted(file)}",)
        case cures.LoadModule(module):
            return (f"modprobe {quoted(module)}",)
        case cures.StopUsing(UseKind.SWAP, what):
            return (f"swapoff {quoted(what)}",)
        case cures.StopUsing(UseKind.FILE_SYSTEM, what):
            return (f"umount {quoted(what)}",)
        case cures.StopUsing(UseKind.MEDIATED, what):
            return (f"echo 1 > {quoted(f'/sys/bus/mdev/devices/{what}/remove')}",)
        case cures.StopUsing():
            return ()
        case cures.ByAddress(device, driver):
            name = quoted(device.name)
            return (f"driverctl set-override {name} {quoted(driver)}",)
        case cures.ProbeAgain(device, driver):
            probe = quoted(f"/sys/bus/{device.bus}/drivers_probe")
            return (
                f"modprobe {quoted(driver)}",
                f"echo {quoted(device.name)} > {probe}",
            )
        case cures.ClearOverride(device):
            return (f"echo > {quoted(_file(device, 'driver_override'))}",)
        case cures.RemoveVirtualFunctions(device):
            return (f"echo 0 > {quoted(_file(device, 'sriov_numvfs'))}",)
        case cures.WriteLine(_, line):
            return (line,)
        case cures.TakeSnapshot():
            return ("iommu-inspect snapshot host.tgz",)
        case cures.AnotherSlot():
            return ()  # elsewhere.py says which


def _file(about: DeviceId | str, name: str) -> str:
    if isinstance(about, DeviceId):
        return f"/sys/bus/{about.bus}/devices/{about.name}/{name}"
    return f"/sys/bus/pci/devices/{about}/{name}"


def _name(about: DeviceId | str) -> str:
    return about.name if isinstance(about, DeviceId) else about


def _group(about: DeviceId | str, name: str) -> str:
    return quoted(f"/sys/kernel/iommu_groups/{about}/{name}")


_MEMBERS = "iommu_group/devices"
_REGIONS = "iommu_group/reserved_regions"
_TYPE = "iommu_group/type"
_Write = Callable[[DeviceId | str], str]
_LOOKS: dict[cures.Looking, _Write] = {
    cures.Looking.BOOT_DISPLAY: lambda _: "grep . /sys/bus/pci/devices/*/boot_vga",
    cures.Looking.DRIVER: lambda d: f"readlink {quoted(_file(d, 'driver'))}",
    cures.Looking.FRAMEBUFFER: lambda _: (
        "grep -e BOOTFB -e efifb -e simpledrm /proc/iomem"
    ),
    cures.Looking.HOLDERS: lambda node: f"fuser -v {quoted(str(node))}",
    cures.Looking.GROUP_TYPE: lambda d: f"cat {quoted(_file(d, _TYPE))}",
    cures.Looking.INTERRUPTS: lambda _: "grep -H . /sys/kernel/irq/*/chip_name",
    cures.Looking.IOMMU_CAPABILITY: lambda unit: (
        f"cat {quoted(f'/sys/class/iommu/{unit}/intel-iommu/cap')}"
    ),
    cures.Looking.IOMMU_GROUP: lambda d: f"readlink {quoted(_file(d, 'iommu_group'))}",
    cures.Looking.KERNEL_LOG: lambda word: f"dmesg | grep -i {quoted(str(word))}",
    cures.Looking.MEMBERS: lambda group: f"ls -l {_group(group, 'devices')}",
    cures.Looking.MODULE: lambda name: f"ls -d {quoted(f'/sys/module/{name}')}",
    cures.Looking.MOUNTS: lambda _: "findmnt --real",
    cures.Looking.NAMES: lambda d: (
        f"ls -l /sys/class/net /sys/block | grep -F {quoted(_name(d))}"
    ),
    cures.Looking.NEIGHBOURS: lambda d: f"ls {quoted(_file(d, _MEMBERS))}",
    cures.Looking.NODE: lambda group: f"ls -l {quoted(f'/dev/vfio/{group}')}",
    cures.Looking.POOL: lambda pool: f"zpool status -P {quoted(str(pool))}",
    cures.Looking.REGIONS_OF: lambda d: f"cat {quoted(_file(d, _REGIONS))}",
    cures.Looking.RESERVED_REGIONS: lambda g: f"cat {_group(g, 'reserved_regions')}",
    cures.Looking.RESET_METHODS: lambda d: f"cat {quoted(_file(d, 'reset_method'))}",
    cures.Looking.ROUTES: lambda _: "ip route show default",
    cures.Looking.SETTINGS: lambda file: f"grep -n vfio {quoted(str(file))}",
    cures.Looking.STANDING_ON: lambda _: (
        "find /sys/devices/virtual -path '*/slaves/*' -o -name 'lower_*'"
    ),
    cures.Looking.SWAPS: lambda _: "swapon --show",
}
