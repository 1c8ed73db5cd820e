"""Why no plan is made, where the kernel alone would not say so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from iommu_inspect.kernel.coherency import incoherent_iommu, refuses_all
from iommu_inspect.kernel.denylist import denial, is_listed
from iommu_inspect.kernel.sriov_drivers import LEAVES_VIRTUAL, REMOVES_VIRTUAL
from iommu_inspect.kernel.variants import vfio_driver_for
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import VFIO_DRIVERS, has_vfio_driver, normalised
from iommu_inspect.model.fact import known, unread, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.relations import Relations
from iommu_inspect.model.text import listed, shown
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.model.uses.losses import host_losses
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.dpdk import refusals_of_dpdk
from iommu_inspect.plan.decision.moves import NOT_TOLD, VFIO_PCI, Move, Refusal
from iommu_inspect.plan.decision.neighbours import driver_for, fits
from iommu_inspect.rules._cures import (
    Look,
    Looking,
    RemoveVirtualFunctions,
    StopUsing,
)
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.case import Case

__all__ = ["may_hold_more", "of_asked", "of_group", "of_targets", "strange_names"]


def of_targets(targets: Sequence[Target]) -> Iterator[Refusal]:
    """Yield what is wrong with targets that name no device of a group."""
    for target in targets:
        if target.device is None and target.group is not None:
            devices = target.group.devices
            there = any(has_vfio_driver(d) for d in devices)
            # What is on a vfio driver has been taken, whatever else is told of it.
            perhaps = any(_may_fit(d) for d in devices if not has_vfio_driver(d))
            if not any(map(fits, devices)) and (perhaps or not there):
                yield _nothing_fits(target, target.group)
        elif target.device is not None and target.group is None:
            yield from _no_endpoint(target.device)


def _nothing_fits(target: Target, group: Group) -> Refusal:
    # One whose driver is not told may be on a vfio driver already.
    untold = any(has_vfio_driver(d) is None for d in group.devices)
    certain = group.whole and not untold and not any(map(_may_fit, group.devices))
    return Refusal(
        "not-on-vfio",
        certain,
        f"{shown(target.text)} holds no device that vfio-pci could take."
        if certain
        else f"The source does not tell whether {shown(target.text)} holds a device "
        "that vfio-pci could take.",
        "Ask for a device that is no bridge and no part of the chipset.",
    )


def _may_fit(device: Device) -> bool:
    """Say whether what is told of a device leaves open that vfio-pci takes it."""
    return device.may_be_pci and device.is_bridge is not True and not device.is_chipset


def may_hold_more(target: Target) -> bool:
    """Say whether a group that was asked for has members that perhaps can be taken.

    They stay where they are, so what is left of the steps proves nothing.
    """
    if target.device is not None or target.group is None:
        return False
    return any(_may_fit(d) and not fits(d) for d in target.group.devices)


def of_asked(case: Case, device: Device) -> Iterator[Refusal]:
    """Yield what keeps a device that was asked for from going where it is wanted.

    What may be on a vfio driver already need not go anywhere.
    """
    untold = has_vfio_driver(device) is None or device.driver == NOT_TOLD
    for refusal in _of_asked(case, device):
        yield replace(refusal, certain=False) if untold else refusal


def _of_asked(case: Case, device: Device) -> Iterator[Refusal]:
    yield from _no_endpoint(device)
    yield from refusals_of_dpdk(case, device)
    if normalised(driver_for(case, device)) in VFIO_DRIVERS:
        yield from _denied(case, device)
        yield from _incoherent(case, device)
    yield from _virtual_functions(case, device)
    yield from _mediated(case, device)


def _no_endpoint(device: Device) -> Iterator[Refusal]:
    name = shown(device.address)
    if not known(device.bus):
        yield Refusal(
            "not-on-vfio",
            False,
            f"The source does not tell which bus {name} is on: plan hands over PCI "
            "functions only.",
            "Look where its link 'subsystem' leads, on the host itself.",
        )
    elif not device.is_pci:
        yield Refusal(
            "not-on-vfio",
            True,
            f"{name} is no PCI function (its bus is {shown(device.bus)}): plan hands "
            "over PCI functions only.",
            "Other buses have vfio drivers of their own (vfio-platform, vfio-fsl-mc, "
            "vfio-cdx), which need support for the very device.",
        )
    elif not known(device.is_bridge) or unread(device.base_class):
        yield Refusal(
            "not-on-vfio",
            False,
            f"The source does not tell whether {name} is a bridge or a part of the "
            "chipset.",
        )
    elif device.is_bridge is True or device.is_chipset:
        kind = "a bridge" if device.is_bridge is True else "a part of the chipset"
        yield Refusal(
            "not-on-vfio",
            True,
            f"{name} is {kind}: it stays with the host.",
            "Hand over a device that is no bridge, below it or elsewhere.",
        )


def _incoherent(case: Case, device: Device) -> Iterator[Refusal]:
    """Refuse what no vfio driver takes, for its IOMMU's sake."""
    driver, asks = incoherent_iommu(case.machine, device), refuses_all(case.semantics)
    if driver is None or asks is False:
        return
    yield Refusal(
        "not-on-vfio",
        asks is True,
        f"{shown(device.address)} is behind an IOMMU whose driver ({shown(driver)}) "
        "does not promise that caches are coherent: since v5.19 a vfio driver refuses "
        "it with -EINVAL.",
        "Hand over a device behind another IOMMU.",
        final=True,
    )


def _denied(case: Case, device: Device) -> Iterator[Refusal]:
    """Refuse what vfio-pci refuses; a variant of it has no such list."""
    if vfio_driver_for(case.machine, device) != VFIO_PCI:
        return
    found = denial(case.machine, device, case.semantics)
    if found.denied is False:
        return
    name, pair = shown(device.address), str(device.ids.pair)
    yield Refusal(
        "denylist",
        found.denied is True,
        f"{name} is in the denylist of vfio-pci ({pair}): the driver refuses it with "
        "-EINVAL, because a guest may harm the host through it."
        if found.denied
        else f"{name}: {found.because}.",
        "Where the guests are trusted, load vfio-pci with disable_denylist=1 (an "
        "options line in modprobe.d, since it is read when the module is loaded), and "
        "plan again."
        if is_listed(device)
        else "Look at its vendor and device on the host itself, and plan again.",
    )


def _virtual_functions(case: Case, device: Device) -> Iterator[Refusal]:
    """A physical function's driver takes its virtual functions along when it goes."""
    if unread(device.pci.virtfns):
        yield Refusal(
            "sriov-mix",
            False,
            f"Whether {shown(device.address)} has virtual functions could not be read: "
            "they would go with its driver.",
            "Look at the device on the host itself (ls shows them as virtfn0, ...).",
        )
    functions = value_or(device.pci.virtfns, ())
    if not functions:
        return
    name, count = shown(device.address), len(functions)
    there = filter(None, map(case.machine.device, functions))
    used = [d for d in there if d.driver is not None]
    has = "has a driver" if len(used) == 1 else "have drivers"
    users = f", of which {addresses(used)} {has}" if used else ""
    yield Refusal(
        "sriov-mix",
        True,
        f"{name} is a physical function with {count} virtual "
        f"function{'s' if count > 1 else ''}{users}{_what_becomes(device, count)}",
        "Hand over a virtual function instead, if it has a group of its own; or, if "
        "nobody uses them, remove them first.",
        () if used else (RemoveVirtualFunctions(device.id),),
    )


def _mediated(case: Case, device: Device) -> Iterator[Refusal]:
    """Refuse while mediated devices are on it: they go with its driver, for good."""
    below = Relations(case.machine).below(device)
    found = [d.address for d in below if d.bus == "mdev"]
    # The bus lists them too, where their groups or their own directories fail.
    for loss in host_losses(case.machine, [device]):
        if loss.use.kind is UseKind.MEDIATED:
            found += [name for name in loss.use.what if name not in found]
    lost = [w for kind, w in case.machine.host.untold if kind is UseKind.MEDIATED]
    if not found and any(map(unread, lost)) and device.driver is not None:
        yield Refusal(
            "host-loss",
            False,
            f"Whether {shown(device.address)} carries mediated devices could not be "
            "read: its driver waits for guests that have them open.",
            "Look at the device on the host itself (/sys/bus/mdev/devices).",
        )
    if not found:
        return
    one = len(found) == 1
    yield Refusal(
        "host-loss",
        True,
        f"{shown(device.address)} carries the mediated device{'' if one else 's'} "
        f"{listed(map(shown, found))}: its driver waits while a guest has "
        f"{'it' if one else 'one of them'} open, and takes "
        f"{'it' if one else 'them'} along when it goes.",
        "Shut such guests down, and remove the mediated devices first.",
        tuple(StopUsing(UseKind.MEDIATED, name) for name in found),
        final=True,
    )


def _what_becomes(physical: Device, count: int) -> str:
    """Say what a driver does with the virtual functions when it is taken off."""
    driver = str(physical.driver)
    refused = "vfio-pci says: Cannot bind to PF with SR-IOV enabled."
    one = count == 1
    if normalised(driver) in REMOVES_VIRTUAL:
        verb = "it vanishes" if one else "they vanish"
        return f": {verb} with its driver ({shown(driver)})."
    if normalised(driver) in LEAVES_VIRTUAL or physical.driver is None:
        verb = "it stays" if one else "they stay"
        return f": {verb} when its driver goes, and {refused}"
    may, stay = ("it may", "it stays") if one else ("they may", "they stay")
    return f": {may} vanish with its driver; where {stay}, {refused}"


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


def strange_names(move: Move) -> Iterator[Refusal]:
    """Refuse to write commands with names that no kernel gives.

    Every member is named by some command, the drivers of those that change.
    """
    device = move.device
    if not known(device.bus):
        yield Refusal(
            "not-on-vfio",
            False,
            f"No command is written for {shown(device.address)}: the source does not "
            "tell which bus it is on.",
        )
        return
    strange = _strange(device.address, lambda: shell.device(device))
    if move.changes:
        drivers = (device.driver, device.driver_override, move.becomes)
        for text in drivers:
            if isinstance(text, str) and text not in ("", NOT_TOLD):
                strange += _strange(text, partial(shell.driver, text))
    if strange:
        yield Refusal(
            "not-on-vfio",
            False,
            f"No command is written with the name {listed(map(shown, strange))}: "
            "the source is damaged or made up.",
        )


def _strange(text: str, check: Callable[[], object]) -> list[str]:
    try:
        check()
    except shell.UnwritableError:
        return [text]
    return []
