"""What was asked for is not bound to a vfio driver, so nobody can open it."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import is_bifurcated, is_on_uio
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.host_losses import is_fatal
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_DISPLAY,
    PCI_BASE_CLASS_NETWORK,
    PCI_BASE_CLASS_STORAGE,
)
from iommu_inspect.model.text import quoted, shown
from iommu_inspect.rules._words import (
    addresses,
    bound_to,
    leave_to_the_host,
    move_to_vfio,
)
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import Purpose

__all__ = ["RULE", "caution"]

ABOUT = About(
    id="not-on-vfio",
    summary="what is to be handed over is not bound to a vfio driver",
    severity=Severity.ERROR,
    joint=True,
)


def _check_group(case: Case, group: Group) -> Iterator[Finding]:
    """For ``group:N``: at least one member has to be on vfio."""
    if group.id not in case.whole_groups or case.having(group, Role.VFIO):
        return
    if any(t.group is group and case.without_vfio(t) for t in case.targets):
        yield from (_bifurcated(case, d) for d in group.devices if is_bifurcated(d))
        return
    if case.having(group, Role.UNKNOWN):  # mixed-ownership says what is not known
        return
    endpoints = [d for d in group.devices if d.is_bridge is not True]
    # Those without a driver may stay as they are, as long as one is on vfio.
    to_move = [d for d in endpoints if d.driver is not None] or endpoints[:1]
    stay = [d for d in to_move if is_fatal(case.machine, d)]
    yield case.finding(
        group,
        f"No device of group {group.id} is bound to a vfio driver, so there is no "
        f"/dev/vfio/{group.id} to open.",
        "See host-loss first." if stay else _bind(to_move),
        step=leave_to_the_host(stay[0]) if stay else _step(to_move),
    )


def _check_machine(case: Case) -> Iterator[Finding]:
    needed = any(case.having(group, Role.VFIO) for group in case.groups)
    loaded = case.machine.vfio.type1_loaded
    if not needed or loaded is True:
        return
    by_iommufd = "iommufd" in case.machine.kernel.features
    unknown = not known(loaded) or by_iommufd
    yield case.finding(
        None,
        "The source does not tell whether the module vfio_iommu_type1 is loaded, "
        "or iommufd serves in its place; without both VFIO_SET_IOMMU returns "
        "-ENODEV."
        if unknown
        else "The module vfio_iommu_type1 is not loaded, and VFIO_SET_IOMMU does "
        "not load it: it returns -ENODEV.",
        "Load it:\nmodprobe vfio_iommu_type1",
        certainty=Certainty.UNKNOWN if unknown else Certainty.KERNEL,
        step="find out whether vfio_iommu_type1 is loaded"
        if unknown
        else "load vfio_iommu_type1",
    )


def _check_device(case: Case, device: Device) -> Iterator[Finding]:
    bound = has_vfio_driver(device)
    group = case.machine.group_of(device)
    if bound:
        return
    if case.purpose is Purpose.DPDK and device.driver is not None:
        if is_bifurcated(device):
            yield _bifurcated(case, device)
            return
        if is_on_uio(device):
            return  # uio-driver says what that comes to
    if bound is None:
        return  # mixed-ownership says that the driver is not known
    if group is None:
        if case.purpose is Purpose.DPDK and known(device.group):
            yield _without_iommu(case, device)
        return  # no-iommu speaks of devices without a group
    if device.is_bridge is True or device.is_chipset:
        kind = "bridge" if device.is_bridge is True else "part of the chipset"
        message = f"{shown(device.address)} is a {kind}: it stays with the host."
        to_move: list[Device] = []
    else:
        message = (
            f"{shown(device.address)} is {bound_to(device)}; only a device on a vfio "
            f"driver can be opened by user space.{caution(device)}"
        )
        to_move = [device]
    # No commands to copy for a device that the host lives on.
    stays = is_fatal(case.machine, device)
    yield case.finding(
        device,
        message,
        "See host-loss first." if stays else _bind(to_move),
        step=leave_to_the_host(device) if stays else _step(to_move),
        final=stays or not to_move,
    )


def _bifurcated(case: Case, device: Device) -> Finding:
    """DPDK's own driver works through the kernel's; unbinding would break it."""
    return case.finding(
        device,
        f"{shown(device.address)} is {bound_to(device)}, through which DPDK works: "
        "it needs no VFIO, and is to stay on this driver. Whether DPDK can use it "
        "depends on libraries (rdma-core) that are not looked at.",
        "Leave it on its driver, and try:\ndpdk-testpmd",
        certainty=Certainty.UNKNOWN,
        step=f"leave {shown(device.address)} on its driver and try DPDK itself",
    )


def _without_iommu(case: Case, device: Device) -> Finding:
    """Without a group there is nothing for VFIO but what it makes up."""
    return case.finding(
        device,
        f"{shown(device.address)} is {bound_to(device)}; DPDK needs it on "
        "uio_pci_generic, or on vfio-pci in no-IOMMU mode, since no IOMMU covers "
        f"it.{caution(device)}",
        "Bind it, if the host can do without it; DPDK has a program for that:\n"
        "modprobe uio_pci_generic\n"
        f"dpdk-devbind.py --bind=uio_pci_generic {quoted(device.address)}",
        step=f"bind {shown(device.address)} to uio_pci_generic",
    )


def _bind(devices: list[Device]) -> str:
    if not devices:
        return "Hand over a device that is no bridge, below it or elsewhere."
    other = [d for d in devices if not d.is_pci]
    if other:
        return (
            f"Bind {addresses(other)} to the vfio driver of the bus ({other[0].bus})."
        )
    return (
        "Bind to vfio-pci what the host can do without (libvirt does so itself for "
        f"managed devices):\n{move_to_vfio(*devices)}"
    )


# Disks, displays, networks: what a host is likely to need itself.
_LIKELY_NEEDED = {
    PCI_BASE_CLASS_STORAGE: (
        "a storage controller: the host's own disks may be behind it"
    ),
    PCI_BASE_CLASS_NETWORK: "a network device: the host may be reached through it",
    PCI_BASE_CLASS_DISPLAY: "a display: the host's console may be on it",
}


def caution(device: Device) -> str:
    """Say what a host may lose with a device, before it is told how to let it go."""
    base = device.base_class
    if device.driver is None or not known(base):
        return ""
    text = _LIKELY_NEEDED.get(base >> 8)
    return f" It is {text}." if text else ""


def _step(devices: list[Device]) -> str:
    if not devices:
        return "choose a device that is no bridge"
    driver = "vfio-pci" if all(d.is_pci for d in devices) else "a vfio driver"
    return f"bind {addresses(devices)} to {driver}"


RULE = Rule(
    ABOUT,
    check_machine=_check_machine,
    check_group=_check_group,
    check_device=_check_device,
)
