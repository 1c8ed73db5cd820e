"""Why a plan is not made, where the kernel alone would not say so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.machine import Device, Group, Machine
from iommu_inspect.model.target import Target
from iommu_inspect.model.text import listed, printable, quoted, shown
from iommu_inspect.plan.moves import Action, Move
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.finding import Certainty, Finding

__all__ = ["Refusal", "of_finding", "of_moves", "of_targets"]


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason: the rule whose page explains it, and what would cure it.

    ``certain`` is false where a fact is missing: the plan is then not refused, it
    cannot be made.
    """

    rule: str
    certain: bool
    message: str
    remedy: str = ""


def of_finding(finding: Finding) -> Refusal:
    """Turn an error of a rule into a reason."""
    certain = finding.certainty is not Certainty.UNKNOWN
    return Refusal(finding.rule, certain, finding.message, finding.remedy)


def of_targets(targets: Sequence[Target]) -> Iterator[Refusal]:
    """Yield what is wrong with the targets themselves."""
    for target in targets:
        device = target.device
        if device is None:
            if not _any_fits(target.group):
                yield _nothing_fits(target)
            continue
        if device.driver is not None and value_or(device.vfio_devices, ()):
            continue
        yield from _of_target(device)
        yield from _denied(device)


def _any_fits(group: Group | None) -> bool:
    return any(
        d.is_pci and d.is_bridge is False and not d.is_chipset
        for d in (group.devices if group else ())
    )


def _nothing_fits(target: Target) -> Refusal:
    return Refusal(
        "not-on-vfio",
        True,
        f"{shown(target.text)} holds no device that vfio-pci could take.",
        "Ask for a device that is no bridge and no part of the chipset.",
    )


def _of_target(device: Device) -> Iterator[Refusal]:
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


def of_moves(machine: Machine, moves: Sequence[Move]) -> Iterator[Refusal]:
    """Yield what is wrong with what would have to be done."""
    for group in dict.fromkeys(move.group.id for move in moves):
        whole = next(move.group for move in moves if move.group.id == group)
        if not whole.whole:
            yield _not_whole(whole)
    for move in moves:
        if move.action is Action.UNTOLD:
            yield _untold(move)
        if move.changes:
            yield from _virtual_functions(machine, move)
        yield from _strange_names(move.device)
        if move.action is Action.BIND and not known(move.device.driver):
            yield _untold(move)


def _not_whole(group: Group) -> Refusal:
    return Refusal(
        "mixed-ownership",
        False,
        f"The source does not show all members of group {shown(group.id)}: which of "
        "them have to move cannot be told.",
        "Look at the group on the host itself:\n"
        f"ls -l /sys/kernel/iommu_groups/{quoted(group.id)}/devices",
    )


def _untold(move: Move) -> Refusal:
    name = shown(move.device.address)
    return Refusal(
        "mixed-ownership",
        False,
        f"Whether {name} in group {shown(move.group.id)} has to move cannot be told: "
        "the source does not tell what kind of driver it has.",
        "Make the plan on the host itself, or from a capture that has the drivers.",
    )


def _virtual_functions(machine: Machine, move: Move) -> Iterator[Refusal]:
    """A physical function's driver takes its virtual functions along when it goes."""
    device = move.device
    functions = value_or(device.pci.virtfns, ())
    if not functions:
        return
    name, count = shown(device.address), len(functions)
    there = filter(None, map(machine.device, functions))
    used = [d for d in there if d.driver is not None]
    users = f", of which {addresses(used)} have drivers" if used else ""
    path = f"/sys/bus/pci/devices/{device.address}/sriov_numvfs"
    also = (
        ""
        if move.asked
        else (
            f" It has to go because it shares group {shown(move.group.id)}; a virtual "
            "function that shares the group of its physical one cannot be had alone."
        )
    )
    yield Refusal(
        "sriov-mix",
        True,
        f"{name} is a physical function with {count} virtual "
        f"function{'s' if count > 1 else ''}{users}: they vanish with its driver, and "
        f"vfio-pci says: Cannot bind to PF with SR-IOV enabled.{also}",
        "Hand over a virtual function instead, if it has a group of its own; or, if "
        f"nobody uses them, remove them first:\necho 0 > {quoted(path)}",
    )


def _strange_names(device: Device) -> Iterator[Refusal]:
    """No script is written with names that no kernel gives."""
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
