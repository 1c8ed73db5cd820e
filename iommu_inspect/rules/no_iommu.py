"""No IOMMU stands between a device and memory; which layer is missing."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iommu_inspect.kernel.grouping.making.covered import (
    GRAPHICS_OFF,
    switch_of_graphics,
)
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules._layers import Layer, missing_layer
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE, Purpose
from iommu_inspect.rules.xen_dom0 import is_dom0

ABOUT = About(
    id="no-iommu",
    summary="no IOMMU covers the host or the device",
    severity=Severity.ERROR,
    purposes=EVERY_PURPOSE,
)


_FIND_OUT = "find out whether there is an IOMMU"


def _check_machine(case: Case) -> Iterator[Finding]:
    machine = case.machine
    there = has_iommu(machine)
    if there is None:
        yield _untold(case)
        return
    if there:
        if not case.targets:
            yield from _left_out(case)
        return
    if not machine.groups and is_dom0(machine):
        return  # xen-dom0 speaks of it
    if case.targets and all(map(case.needs_no_iommu, case.targets)):
        return
    layer = missing_layer(machine)
    unknown = layer.certainty is Certainty.UNKNOWN
    unsafe = case.purpose is Purpose.DPDK and not unknown
    yield case.finding(
        None,
        f"{layer.message} {_DPDK}" if unsafe else layer.message,
        layer.remedy,
        severity=Severity.WARNING if unsafe else None,
        certainty=layer.certainty,
        step=_step(machine, layer),
        final=layer.final and not unsafe,
        cures=layer.cures,
    )


def has_iommu(machine: Machine) -> bool | None:
    """Say whether vfio has not made up all groups itself; ``None`` where untold.

    Of groups whose names could not be read, the units tell.
    """
    kinds = [group.is_noiommu for group in machine.groups]
    if any(kind is False for kind in kinds):
        return True
    if all(kind is True for kind in kinds):
        return False
    return bool(machine.iommus) if known(machine.iommus) else None


def _step(machine: Machine, layer: Layer) -> str:
    if layer.final:
        return "pass it through with Xen's own tools"
    if layer.certainty is not Certainty.UNKNOWN:
        return "turn the IOMMU on"
    if not machine.groups_known:
        return "capture the groups too"
    return _FIND_OUT


def _untold(case: Case) -> Finding:
    return case.finding(
        None,
        "Whether this host has an IOMMU cannot be told: the names of its groups could "
        "not be read, which say whether vfio made them up, and no IOMMU is seen.",
        "Look at the files 'name' below /sys/kernel/iommu_groups, as root: "
        "vfio-noiommu is the name of those that vfio made up.",
        certainty=Certainty.UNKNOWN,
        step=_FIND_OUT,
    )


def _left_out(case: Case) -> Iterator[Finding]:
    """Name PCI functions without a group on a host that has groups."""
    out = [
        d
        for d in case.machine.devices
        if d.is_pci and d.group is None and not d.is_chipset
    ]
    dpdk = case.purpose is Purpose.DPDK  # it can do without
    chosen = [d for d in out if switch_of_graphics(case.machine, d)]
    by_choice = {device.id for device in chosen}
    for devices in (chosen, [d for d in out if d.id not in by_choice]):
        if not devices:
            continue
        names = [shown(device.address) for device in devices[:_MOST]]
        if len(devices) > _MOST:
            names.append(f"{len(devices) - _MOST} more")
        has, it = ("has", "it") if len(devices) == 1 else ("have", "them")
        why, remedy = _not_covered(case.machine, devices)
        yield case.finding(
            None,
            f"{listed(names)} {has} no IOMMU group although other devices of this host "
            f"have one: {why}, and VFIO cannot take {it}.",
            remedy,
            others=devices,
            severity=Severity.INFO if devices is chosen or dpdk else Severity.WARNING,
            certainty=Certainty.DERIVED,
        )


def _check_device(case: Case, device: Device) -> Iterator[Finding]:
    machine = case.machine
    if has_iommu(machine) is not True or machine.group_of(device) is not None:
        return
    target = case.target_of(device)
    if target is not None and case.needs_no_iommu(target):
        return
    if not known(device.group):
        yield case.finding(
            device,
            f"The source does not tell the group of {shown(device.address)}.",
            "Look where its iommu_group leads, on the host itself.",
            certainty=Certainty.UNKNOWN,
            step=f"find out the group of {shown(device.address)}",
            cures=[Look(Looking.IOMMU_GROUP, device.id)],
        )
        return
    # A vfio driver binds to a device without a group only in no-IOMMU mode, and then
    # makes one up; without it there is nothing to open.
    dpdk, on_vfio = case.purpose is Purpose.DPDK, has_vfio_driver(device)
    unsafe, untold = dpdk and on_vfio is False, dpdk and on_vfio is None
    switch = switch_of_graphics(machine, device)
    why, remedy = _not_covered(machine, [device])
    yield case.finding(
        device,
        f"{shown(device.address)} has no IOMMU group although other devices of this "
        f"host have one: {why}, and "
        f"{_DPDK_DEVICE if unsafe else 'VFIO cannot take it.'}",
        remedy,
        severity=Severity.WARNING if unsafe else None,
        certainty=Certainty.UNKNOWN if untold else Certainty.KERNEL,
        step=(
            _without_switch(switch)
            if switch
            else "choose a device that an IOMMU covers"
        ),
        final=not (unsafe or untold or switch),
    )


_MOST = 4
_DPDK = (
    "DPDK can do without, through vfio's no-IOMMU mode or uio_pci_generic: the device, "
    "and whoever programs it, then reaches all memory."
)
_DPDK_DEVICE = (
    "DPDK can have it only through vfio's no-IOMMU mode or uio_pci_generic: it then "
    "reaches all memory."
)


def _not_covered(machine: Machine, devices: Sequence[Device]) -> tuple[str, str]:
    """Say why no IOMMU covers devices though there is one, and what could help."""
    switch = switch_of_graphics(machine, devices[0])
    if switch:
        return (
            f"{shown(switch)} on the kernel command line takes graphics out of VT-d",
            f"T{_without_switch(switch)[1:]}, if the device is to be handed over.",
        )
    controllers = dict.fromkeys(c for d in devices if (c := _controller(d)))
    if controllers:
        return (
            "the device tree gives the PCIe controller "
            f"{listed(map(shown, controllers))} no iommu-map, as it seems",
            "Use a device that an IOMMU covers. On a board like this the device tree "
            "decides: the node of the PCIe controller needs an iommu-map, and the "
            "board an IOMMU on that path.",
        )
    return (
        "no IOMMU unit covers " + ("it" if len(devices) == 1 else "them"),
        "Use a device that an IOMMU covers; what covers what is in the firmware's "
        "tables (DMAR, IVRS, IORT) or the device tree's iommu-map.",
    )


def _without_switch(word: str) -> str:
    """Say how a word of the command line stops keeping graphics from VT-d."""
    key, _, value = word.partition("=")
    options = value.split(",")
    off = [option for option in options if option in GRAPHICS_OFF]
    left = [option for option in options if option not in GRAPHICS_OFF]
    if not left:
        return f"take {shown(word)} off the kernel command line"
    rest = f"{key}={','.join(left)}"
    return (
        f"take {listed(off)} out of {shown(word)} on the kernel command line "
        f"({shown(rest)} stays)"
    )


def _controller(device: Device) -> str:
    """Name the platform device that a PCI host bridge of a device tree is below.

    With ACPI a root is a device of its own: ``sys/devices/pci0000:00``.
    """
    path = device.path if known(device.path) else ""
    above, root, _ = path.partition("/pci")
    if not root or not above.startswith("sys/devices/platform/"):
        return ""
    return above.rpartition("/")[2]


RULE = Rule(ABOUT, check_machine=_check_machine, check_device=_check_device)
