"""Why no plan is made, where the kernel alone would not say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import VFIO_DRIVERS, normalised
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.target import Target
from iommu_inspect.model.text import listed, printable, shown
from iommu_inspect.plan.dpdk import refusals_of_dpdk
from iommu_inspect.plan.moves import Refusal
from iommu_inspect.plan.neighbours import driver_for, fits
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.cures import Look, Looking, RemoveVirtualFunctions

__all__ = ["of_asked", "of_group", "of_targets", "strange_names"]


def of_targets(targets: Sequence[Target]) -> Iterator[Refusal]:
    """Yield what is wrong with targets that name no device of a group."""
    for target in targets:
        if target.device is None and target.group is not None:
            if not any(map(fits, target.group.devices)):
                yield _nothing_fits(target)
        elif target.device is not None and target.group is None:
            yield from _no_endpoint(target.device)


def _nothing_fits(target: Target) -> Refusal:
    return Refusal(
        "not-on-vfio",
        True,
        f"{shown(target.text)} holds no device that vfio-pci could take.",
        "Ask for a device that is no bridge and no part of the chipset.",
    )


def of_asked(case: Case, device: Device) -> Iterator[Refusal]:
    """Yield what keeps a device that was asked for from going where it is wanted."""
    yield from _no_endpoint(device)
    yield from refusals_of_dpdk(case, device)
    if normalised(driver_for(case, device)) in VFIO_DRIVERS:
        yield from _denied(device)
    yield from _virtual_functions(case, device)


def _no_endpoint(device: Device) -> Iterator[Refusal]:
    name = shown(device.address)
    if not device.is_pci:
        bus = shown(device.bus) if known(device.bus) else "not known"
        yield Refusal(
            "not-on-vfio",
            known(device.bus),
            f"{name} is no PCI function (its bus is {bus}): plan hands over PCI "
            "functions only.",
            "Other buses have vfio drivers of their own (vfio-platform, vfio-fsl-mc, "
            "vfio-cdx), which need support for the very device.",
        )
    elif not known(device.is_bridge):
        yield Refusal(
            "not-on-vfio",
            False,
            f"The source does not tell whether {name} is a bridge.",
        )
    elif device.is_bridge is True or device.is_chipset:
        kind = "a bridge" if device.is_bridge is True else "a part of the chipset"
        yield Refusal(
            "not-on-vfio",
            True,
            f"{name} is {kind}: it stays with the host.",
            "Hand over a device that is no bridge, below it or elsewhere.",
        )


# vfio_pci_dev_in_denylist() in drivers/vfio/pci/vfio_pci.c: QuickAssist since v5.9,
# DSA and IAX of Sapphire Rapids since v6.9 and in stable kernels before.
_DENIED = {0x0435, 0x0443, 0x0B25, 0x0CFE, 0x19E2, 0x19E3, 0x37C8, 0x37C9}


def _denied(device: Device) -> Iterator[Refusal]:
    if device.ids.vendor != 0x8086 or device.ids.device not in _DENIED:
        return
    yield Refusal(
        "not-on-vfio",
        True,
        f"{shown(device.address)} is in the denylist of vfio-pci (8086:"
        f"{device.ids.device:04x}): the driver refuses it, because a guest may harm "
        "the host through it. The kernel log then says: exists in vfio-pci device "
        "denylist, driver probing disallowed.",
        "Where the guests are trusted, load vfio-pci with disable_denylist=1 and bind "
        "it by hand.",
    )


def _virtual_functions(case: Case, device: Device) -> Iterator[Refusal]:
    """A physical function's driver takes its virtual functions along when it goes."""
    functions = value_or(device.pci.virtfns, ())
    if not functions:
        return
    name, count = shown(device.address), len(functions)
    there = filter(None, map(case.machine.device, functions))
    used = [d for d in there if d.driver is not None]
    users = f", of which {addresses(used)} have drivers" if used else ""
    yield Refusal(
        "sriov-mix",
        True,
        f"{name} is a physical function with {count} virtual "
        f"function{'s' if count > 1 else ''}{users}: they vanish with its driver, and "
        "vfio-pci says: Cannot bind to PF with SR-IOV enabled.",
        "Hand over a virtual function instead, if it has a group of its own; or, if "
        "nobody uses them, remove them first.",
        () if used else (RemoveVirtualFunctions(device.id),),
    )


def of_group(group: Group) -> Iterator[Refusal]:
    """Yield what is wrong with a group that something was asked for of."""
    if group.whole:
        return
    yield Refusal(
        "mixed-ownership",
        False,
        f"The source does not show all members of group {shown(group.id)}: which of "
        "them have to move cannot be told.",
        "Look at the group on the host itself.",
        (Look(Looking.MEMBERS, group.id),),
    )


def strange_names(device: Device) -> Iterator[Refusal]:
    """Refuse to write commands with names that no kernel gives."""
    names = [device.address, device.bus, device.driver, device.driver_override]
    strange = [n for n in names if isinstance(n, str) and not _is_plain(n)]
    if strange:
        yield Refusal(
            "not-on-vfio",
            False,
            f"No command is written with the name {listed(map(shown, strange))}: "
            "the source is damaged or made up.",
        )


def _is_plain(name: str) -> bool:
    return (
        name.isascii()
        and name == printable(name)
        and "/" not in name
        and name not in ("", ".", "..")
    )
