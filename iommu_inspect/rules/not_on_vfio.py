"""What was asked for is not bound to a vfio driver, so nobody can open it."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import is_bifurcated, is_on_uio
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.host_losses import is_fatal
from iommu_inspect.model.machine import Device, Group
from iommu_inspect.model.text import quoted, shown
from iommu_inspect.rules._words import (
    addresses,
    bound_to,
    leave_to_the_host,
    move_to_vfio,
)
from iommu_inspect.rules.about import About, Purpose
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["RULE", "caution"]

ID = "not-on-vfio"


def _check_group(case: Case, group: Group) -> Iterator[Finding]:
    """For ``group:N``: at least one member has to be on vfio."""
    asked = any(t.device is None and t.group is group for t in case.targets)
    if not asked or case.having(group, Role.VFIO):
        return
    if any(t.group is group and case.without_vfio(t) for t in case.targets):
        yield from (_bifurcated(d) for d in group.devices if is_bifurcated(d))
        return
    if case.having(group, Role.UNKNOWN):  # mixed-ownership says what is not known
        return
    endpoints = [d for d in group.devices if d.is_bridge is not True]
    # Those without a driver may stay as they are, as long as one is on vfio.
    to_move = [d for d in endpoints if d.driver is not None] or endpoints[:1]
    stay = [d for d in to_move if is_fatal(case.machine, d)]
    yield Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.KERNEL,
        group=group.id,
        devices=tuple(d.address for d in group.devices),
        message=(
            f"No device of group {group.id} is bound to a vfio driver, so there is no "
            f"/dev/vfio/{group.id} to open."
        ),
        remedy="See host-loss first." if stay else _bind(to_move),
        step=leave_to_the_host(stay[0]) if stay else _step(to_move),
    )


def _check_machine(case: Case) -> Iterator[Finding]:
    needed = any(case.having(group, Role.VFIO) for group in case.groups)
    loaded = case.machine.vfio.type1_loaded
    if not needed or loaded is True:
        return
    by_iommufd = "iommufd" in case.machine.kernel.features
    unknown = not known(loaded) or by_iommufd
    yield Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.UNKNOWN if unknown else Certainty.KERNEL,
        group=None,
        devices=(),
        message=(
            "The source does not tell whether the module vfio_iommu_type1 is loaded, "
            "or iommufd serves in its place; without both VFIO_SET_IOMMU returns "
            "-ENODEV."
            if unknown
            else "The module vfio_iommu_type1 is not loaded, and VFIO_SET_IOMMU does "
            "not load it: it returns -ENODEV."
        ),
        remedy="Load it:\nmodprobe vfio_iommu_type1",
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
            yield _bifurcated(device)
            return
        if is_on_uio(device):
            return  # uio-driver says what that comes to
    if bound is None:
        return  # mixed-ownership says that the driver is not known
    if group is None:
        if case.purpose is Purpose.DPDK and known(device.group):
            yield _without_iommu(device)
        return  # no-iommu speaks of devices without a group
    if device.is_bridge is True or device.base_class in _CHIPSET:
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
    yield Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.KERNEL,
        group=group.id,
        devices=(device.address,),
        message=message,
        remedy="See host-loss first." if stays else _bind(to_move),
        step=leave_to_the_host(device) if stays else _step(to_move),
        final=stays or not to_move,
    )


def _bifurcated(device: Device) -> Finding:
    """DPDK's own driver works through the kernel's; unbinding would break it."""
    return Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.UNKNOWN,
        group=device.group if isinstance(device.group, str) else None,
        devices=(device.address,),
        message=(
            f"{shown(device.address)} is {bound_to(device)}, through which DPDK works: "
            "it needs no VFIO, and is to stay on this driver. Whether DPDK can use it "
            "depends on libraries (rdma-core) that are not looked at."
        ),
        remedy="Leave it on its driver, and try:\ndpdk-testpmd",
        step=f"leave {shown(device.address)} on its driver and try DPDK itself",
    )


def _without_iommu(device: Device) -> Finding:
    """Without a group there is nothing for VFIO but what it makes up."""
    return Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.KERNEL,
        group=None,
        devices=(device.address,),
        message=(
            f"{shown(device.address)} is {bound_to(device)}; DPDK needs it on "
            "uio_pci_generic, or on vfio-pci in no-IOMMU mode, since no IOMMU covers "
            f"it.{caution(device)}"
        ),
        remedy=(
            "Bind it, if the host can do without it; DPDK has a program for that:\n"
            "modprobe uio_pci_generic\n"
            f"dpdk-devbind.py --bind=uio_pci_generic {quoted(device.address)}"
        ),
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
    return "\n".join(
        [
            "Bind to vfio-pci what the host can do without (libvirt does so itself for "
            "managed devices):",
            *dict.fromkeys(
                line for d in devices for line in move_to_vfio(d).split("\n")
            ),
        ]
    )


# Disks, displays, networks: what a host is likely to need itself.
_LIKELY_NEEDED = {
    0x01: "It is a storage controller: the host's own disks may be behind it.",
    0x02: "It is a network device: the host may be reached through it.",
    0x03: "It is a display: the host's console may be on it.",
}
# Host bridges and ISA bridges: parts of the chipset.
_CHIPSET = (0x0600, 0x0601)


def caution(device: Device) -> str:
    """Say what a host may lose with a device, before it is told how to let it go."""
    base = device.base_class
    if device.driver is None or not known(base):
        return ""
    text = _LIKELY_NEEDED.get(base >> 8)
    return f" {text}" if text else ""


def _step(devices: list[Device]) -> str:
    if not devices:
        return "choose a device that is no bridge"
    driver = "vfio-pci" if all(d.is_pci for d in devices) else "a vfio driver"
    return f"bind {addresses(devices)} to {driver}"


RULE = Rule(
    About(
        id=ID,
        summary="what is to be handed over is not bound to a vfio driver",
        severity=Severity.ERROR,
        joint=True,
    ),
    check_machine=_check_machine,
    check_group=_check_group,
    check_device=_check_device,
)
