"""What was asked for is not bound to a vfio driver, so nobody can open it."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.denylist import denial
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import is_bifurcated, is_on_uio
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import shown
from iommu_inspect.rules._words import bound_to, caution
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.cures import LoadModule, Look, Looking
from iommu_inspect.rules.finding import Purpose

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
    yield case.finding(
        group,
        f"No device of group {group.id} is bound to a vfio driver, so there is no "
        f"/dev/vfio/{group.id} to open.",
        "One of its devices has to go to a vfio driver, and what a driver of the host "
        "has must leave it: the group goes as a whole.",
    )


def _check_machine(case: Case) -> Iterator[Finding]:
    # A no-IOMMU group takes VFIO_NOIOMMU_IOMMU, which vfio itself serves.
    groups = [group for group in case.groups if group.is_noiommu is not True]
    needed = any(case.having(group, Role.VFIO) for group in groups)
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
        "Look whether it is there." if unknown else "Load it.",
        certainty=Certainty.UNKNOWN if unknown else Certainty.KERNEL,
        step="find out whether vfio_iommu_type1 is loaded"
        if unknown
        else "load vfio_iommu_type1",
        cures=[
            Look(Looking.MODULE, "vfio_iommu_type1")
            if unknown
            else LoadModule("vfio_iommu_type1")
        ],
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
    if denial(case.machine, device, case.semantics).denied is True:
        return  # denylist says that vfio-pci does not take it
    if bound is None:
        return  # mixed-ownership says that the driver is not known
    if group is None:
        if case.purpose is Purpose.DPDK and known(device.group):
            yield _without_iommu(case, device)
        return  # no-iommu speaks of devices without a group
    if device.is_bridge is True or device.is_chipset:
        kind = "bridge" if device.is_bridge is True else "part of the chipset"
        message = f"{shown(device.address)} is a {kind}: it stays with the host."
        remedy, stays = "Hand over a device below it, or elsewhere.", True
    else:
        message = (
            f"{shown(device.address)} is {bound_to(device)}; only a device on a vfio "
            f"driver can be opened by user space. {caution(device)}"
        ).rstrip()
        remedy = _TO_VFIO if device.driver is not None else _BOUND_TO_NONE
        remedy, stays = remedy if device.is_pci else _TO_OTHER, False
    yield case.finding(device, message, remedy, final=stays)


_TO_VFIO = (
    "It has to leave its driver for a vfio driver, if the host can do without it. "
    "libvirt does so itself for managed devices."
)
_BOUND_TO_NONE = (
    "It has to be bound to a vfio driver. libvirt does so itself for managed devices."
)
_TO_OTHER = "It has to go to the vfio driver of its bus, if there is one."


def _bifurcated(case: Case, device: Device) -> Finding:
    """DPDK's own driver works through the kernel's; unbinding would break it."""
    return case.finding(
        device,
        f"{shown(device.address)} is {bound_to(device)}, through which DPDK works: "
        "it needs no VFIO, and is to stay on this driver. Whether DPDK can use it "
        "depends on libraries (rdma-core) that are not looked at.",
        "Leave it on its driver, and try DPDK itself (its dpdk-testpmd does).",
        certainty=Certainty.UNKNOWN,
        step=f"leave {shown(device.address)} on its driver and try DPDK itself",
    )


def _without_iommu(case: Case, device: Device) -> Finding:
    """Without a group there is nothing for VFIO but what it makes up."""
    return case.finding(
        device,
        f"{shown(device.address)} is {bound_to(device)}; DPDK needs it on "
        "uio_pci_generic, or on vfio-pci in no-IOMMU mode, since no IOMMU covers "
        f"it. {caution(device)}".rstrip(),
        "Bind it to one of them, if the host can do without it.",
        step=f"bind {shown(device.address)} to uio_pci_generic",
    )


RULE = Rule(
    ABOUT,
    check_machine=_check_machine,
    check_group=_check_group,
    check_device=_check_device,
)
