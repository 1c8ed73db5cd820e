"""What was asked for is not bound to a vfio driver, so nobody can open it."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import DMA_COHERENCE
from iommu_inspect.kernel.coherency import incoherent_iommu, refuses_all
from iommu_inspect.kernel.denylist import denial
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import (
    is_on_uio,
    untold_whether,
    works_through,
)
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.platform import Architecture
from iommu_inspect.model.text import shown
from iommu_inspect.rules._cures import LoadModule, Look, Looking
from iommu_inspect.rules._words import bound_to, caution
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import Purpose

ABOUT = About(
    id="not-on-vfio",
    summary="what is to be handed over is not bound to a vfio driver",
    severity=Severity.ERROR,
    joint=True,
)


def _check_group(case: Case, group: Group) -> Iterator[Finding]:
    """For ``group:N``: at least one member has to be on vfio."""
    if group.id not in case.whole_groups:
        return
    for target in case.targets:
        if target.device is None and target.group is group:
            for device in (besides := case.besides_vfio(target)):
                yield from _besides_vfio(case, device)
            if besides:
                return
    if case.having(group, Role.VFIO):
        yield from (
            _untold(case, d) for d in case.having(group, Role.VFIO) if _matters(case, d)
        )
        return
    if case.having(group, Role.UNKNOWN) or not group.whole:
        return  # mixed-ownership says what is not known
    yield case.finding(
        group,
        f"No device of group {group.id} is bound to a vfio driver, so there is no "
        f"/dev/vfio/{group.id} to open.",
        "One of its devices has to go to a vfio driver, and what a driver of the host "
        "has must leave it: the group goes as a whole.",
    )


def _check_machine(case: Case) -> Iterator[Finding]:
    needed = any(
        case.having(group, Role.VFIO) and case.handed_over(group)
        for group in case.groups
        if group.is_noiommu is not True  # it takes VFIO_NOIOMMU_IOMMU, of vfio itself
    )
    loaded = case.machine.vfio.type1_loaded
    if needed and case.machine.vfio_groups is not True:
        yield _without_groups(case)
        return
    if needed and case.machine.architecture is Architecture.POWER:
        yield _on_power(case)
        return
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
        "Look whether the module is there." if unknown else "Load it.",
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


def _without_groups(case: Case) -> Finding:
    # QEMU knows iommufd since 9.0; of DPDK that hangs on the release.
    by_dpdk, told = case.purpose is Purpose.DPDK, case.machine.vfio_groups is False
    lacks = (
        "This kernel has no VFIO groups (CONFIG_VFIO_GROUP is off): there is no "
        "/dev/vfio/N, and every VFIO_GROUP call fails."
        if told
        else "The source does not tell whether this kernel has VFIO groups "
        "(CONFIG_VFIO_GROUP): it lacks /sys/class/vfio. Without them there is no "
        "/dev/vfio/N."
    )
    find_out = "the program knows iommufd" if told else "there is a /sys/class/vfio"
    return case.finding(
        None,
        f"{lacks} Devices are opened one by one in /dev/vfio/devices, with iommufd.",
        "Use a program that knows iommufd (QEMU with -object iommufd).",
        certainty=Certainty.KERNEL if told and not by_dpdk else Certainty.UNKNOWN,
        severity=None if by_dpdk else Severity.WARNING,
        step=f"find out whether {find_out}" if by_dpdk else "",
    )


def _on_power(case: Case) -> Finding:
    return case.finding(
        None,
        "On POWER VFIO has container types of its own (VFIO_SPAPR_TCE_v2_IOMMU) in "
        "place of type 1: what VFIO_SET_IOMMU answers cannot be told.",
        "Try it with a program that knows these types, as QEMU does.",
        certainty=Certainty.UNKNOWN,
        step="find out what the container of POWER answers",
    )


def _check_device(case: Case, device: Device) -> Iterator[Finding]:
    bound = has_vfio_driver(device)
    group = case.machine.group_of(device)
    if case.purpose is Purpose.DPDK:
        if works_through(device) is not None:
            yield from _besides_vfio(case, device)
            return
        if (bound or is_on_uio(device)) and untold_whether(device):
            yield _untold(case, device)
        if is_on_uio(device):
            return  # uio-driver says what that comes to
    if denial(case.machine, device, case.semantics).denied is True:
        return  # denylist says that vfio-pci does not take it
    if bound:
        if case.purpose is Purpose.ONE_PER_GROUP and device.driver != "vfio-pci":
            yield from _variant(case, device)
        return
    if bound is None:
        return  # mixed-ownership says that the driver is not known
    incoherent = incoherent_iommu(case.machine, device)
    if incoherent is not None and refuses_all(case.semantics) is not False:
        yield _incoherent(case, device, incoherent)
        return
    if group is None:
        told = known(device.group) and case.machine.groups_known
        if case.purpose is Purpose.DPDK and told:
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


def _incoherent(case: Case, device: Device, driver: str) -> Finding:
    sure = refuses_all(case.semantics) is True
    return case.finding(
        device,
        f"{shown(device.address)} is behind an IOMMU whose driver ({shown(driver)}) "
        "does not promise that caches are coherent: since v5.19 a vfio driver refuses "
        "it with -EINVAL.",
        "Hand over a device behind another IOMMU; no step on this host changes that.",
        certainty=Certainty.KERNEL if sure else Certainty.UNKNOWN,
        step="" if sure else "find out whether this kernel asks for coherent caches",
        final=sure,
        references=(DMA_COHERENCE,),
    )


_TO_VFIO = (
    "It has to leave its driver for a vfio driver, if the host can do without it. "
    "libvirt does so itself for managed devices."
)
_BOUND_TO_NONE = (
    "It has to be bound to a vfio driver. libvirt does so itself for managed devices."
)
_TO_OTHER = "It has to go to the vfio driver of its bus, if there is one."


def _besides_vfio(case: Case, device: Device) -> Iterator[Finding]:
    """DPDK's own driver for it works through the kernel's, and needs it bound."""
    through = works_through(device)
    name = shown(device.address)
    if through is None:
        return  # uio-driver speaks of it
    if device.driver == through:
        yield case.finding(
            device,
            f"{name} is {bound_to(device)}, and DPDK works through that driver: it "
            "stays there. DPDK also needs the kernel's verbs (ib_uverbs and the "
            "driver's part of InfiniBand) and libraries (rdma-core), which are not "
            "looked at.",
            "Nothing is to be bound. If DPDK finds no port, look for those.",
            severity=Severity.WARNING,
        )
        return
    untold = not known(device.driver)
    yield case.finding(
        device,
        f"{name} is {bound_to(device)}. DPDK works through {through} for such a card: "
        "on vfio-pci or a driver of UIO it finds no port there.",
        f"It belongs on {through}, the driver that the kernel gives it.",
        certainty=Certainty.UNKNOWN if untold else Certainty.DERIVED,
        step=f"find out which driver {name} has"
        if untold
        else f"bind {name} to {through}",
        cures=[Look(Looking.DRIVER, device.id)] if untold else [],
        references=(_DPDK_GUIDE,),
    )


def _variant(case: Case, device: Device) -> Iterator[Finding]:
    """discoverPermittedHostPCIDevices() in KubeVirt's pci_device.go asks for vfio-pci.

    It lets NVIDIA's virtual functions pass as well, whatever they are on.
    """
    if known(device.driver):
        yield case.finding(
            device,
            f"{shown(device.address)} is {bound_to(device)}, a vfio driver: VFIO takes "
            "it, and KubeVirt's device plugin offers only what is on vfio-pci itself.",
            "Look whether the manager in use knows the driver.",
            severity=Severity.WARNING,
        )


def _matters(case: Case, device: Device) -> bool:
    return case.purpose is Purpose.DPDK and untold_whether(device)


def _untold(case: Case, device: Device) -> Finding:
    """Some cards are of no use to DPDK by VFIO, and this may be one."""
    name = shown(device.address)
    return case.finding(
        device,
        f"The source does not tell what card {name} is. DPDK works through the "
        "kernel's driver for some (mlx4_core, mlx5_core, mana), and finds no port on "
        "them once they are on another.",
        "Look at its ids (lspci -nn shows them).",
        certainty=Certainty.UNKNOWN,
        step=f"find out the ids of {name}",
        references=(_DPDK_GUIDE,),
    )


_DPDK_GUIDE = 'DPDK, "Linux Drivers": Bifurcated Driver'


def _without_iommu(case: Case, device: Device) -> Finding:
    """Without a group there is nothing for VFIO but what it makes up."""
    virtual = device.pci.is_virtual
    return case.finding(
        device,
        f"{shown(device.address)} is {bound_to(device)}; DPDK needs it on "
        "uio_pci_generic, or on vfio-pci in no-IOMMU mode, since no IOMMU covers "
        f"it. {caution(device)}".rstrip(),
        "It has to go to one of them, if the host can do without it: without an IOMMU "
        "it then reaches all memory, and so does whoever programs it.",
        step=f"bind {shown(device.address)} to "
        + ("vfio-pci in no-IOMMU mode" if virtual else "uio_pci_generic"),
    )


RULE = Rule(
    ABOUT,
    check_machine=_check_machine,
    check_group=_check_group,
    check_device=_check_device,
)
