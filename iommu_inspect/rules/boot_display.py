"""The display that the firmware set up goes to user space."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import CONSOLE_DRIVERS_REMOVED
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.host.kernel_release import version_of
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PCI_BASE_CLASS_DISPLAY, PCI_CLASS_DISPLAY_VGA
from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.rules._cures import Look, Looking, WriteLine
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="boot-display",
    summary="the display that the host booted on is handed over",
    severity=Severity.WARNING,
    references=(CONSOLE_DRIVERS_REMOVED,),
)
_REMOVED_SINCE = (6, 0)


def _check(case: Case) -> Iterator[Finding]:
    for device in (device for devices in case.together for device in devices):
        base = device.base_class
        if not known(base) or base >> 8 != PCI_BASE_CLASS_DISPLAY:
            continue
        names = _framebuffers(case.machine, device)
        on_vfio = has_vfio_driver(device) is True
        if names and (on_vfio or not _vfio_removes_it(case.machine, device)):
            yield _held(case, device, names)
        elif (device.boot_vga is True or names) and not on_vfio:
            yield _dark(case, device)


def _framebuffers(machine: Machine, device: Device) -> tuple[str, ...]:
    return tuple(
        name
        for use in machine.host.uses
        if use.kind is UseKind.FRAMEBUFFER and device.path in use.paths
        for name in use.what
    )


def _vfio_removes_it(machine: Machine, device: Device) -> bool:
    """Say whether vfio-pci surely takes firmware's framebuffer off when it binds.

    It does so since v6.0, and for the class "VGA compatible controller" only
    (``vfio_pci_vga_init()``).
    """
    release = machine.kernel.release
    version = version_of(release) if known(release) else None
    is_vga = device.base_class == PCI_CLASS_DISPLAY_VGA
    return is_vga and version is not None and version >= _REMOVED_SINCE


def _held(case: Case, device: Device, names: tuple[str, ...]) -> Finding:
    return case.finding(
        device,
        f"Memory of {shown(device.address)} belongs to the framebuffer that the "
        f"firmware set up ({listed(map(shown, names))}), and {_who(device)} leaves it "
        "there. The guest fails on that memory, and the kernel's log says \"BAR 0: "
        "can't reserve\".",
        "Boot without a driver for firmware's framebuffer (a word for the kernel's "
        "command line), and give the host a serial console or ssh. Then look whether "
        "it is gone: /proc/iomem names no framebuffer any more.",
        cures=(
            WriteLine("", "initcall_blacklist=sysfb_init"),
            Look(Looking.FRAMEBUFFER),
        ),
        others=case.neighbours(device),
        certainty=Certainty.DERIVED,
    )


def _who(device: Device) -> str:
    if device.base_class != PCI_CLASS_DISPLAY_VGA:
        return "vfio-pci, which takes it off VGA controllers (class 0300) only,"
    return "vfio-pci before v6.0"


def _dark(case: Case, device: Device) -> Finding:
    return case.finding(
        device,
        f"{shown(device.address)}, {bound_to(device)}, is the display that the host "
        "booted on: its screen goes dark when user space gets it.",
        "Have another way in (ssh, a serial console), or make another card the "
        "first one in the firmware's setup. The host's screen is the card whose "
        "boot_vga is 1.",
        cures=(Look(Looking.BOOT_DISPLAY),),
        others=case.neighbours(device),
        certainty=Certainty.DERIVED,
    )


RULE = Rule(ABOUT, check_machine=_check)
