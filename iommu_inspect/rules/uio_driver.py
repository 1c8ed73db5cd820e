"""A device that DPDK has by UIO: no isolation, and no DMA where an IOMMU translates."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.ownership.uio import (
    is_on_uio,
    reaches_memory,
    works_through,
)
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import shown
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.settings.maker import Maker, iommu_maker

ABOUT = About(
    id="uio-driver",
    summary="DPDK has a device by UIO, without isolation",
    severity=Severity.ERROR,
    purposes=frozenset({Purpose.DPDK}),
)


def _check(case: Case) -> Iterator[Finding]:
    for target in case.targets:
        for device in case.besides_vfio(target):
            if is_on_uio(device) and works_through(device) is None:
                yield _judge(case, device)


def _judge(case: Case, device: Device) -> Finding:
    reaches = reaches_memory(case.machine, device)
    group = case.machine.group_of(device)
    return case.finding(
        device,
        f"{shown(device.address)} is {bound_to(device)}{_told(reaches, group)}",
        _remedy(case.machine, group, reaches=reaches),
        severity=Severity.WARNING if reaches else Severity.ERROR,
        certainty=Certainty.UNKNOWN if reaches is None else Certainty.DERIVED,
        step=f"bind {shown(device.address)} to vfio-pci"
        if reaches is False
        else f"find out whether an IOMMU translates for {shown(device.address)}",
    )


def _told(reaches: bool | None, group: Group | None) -> str:
    if reaches:
        return (
            ": nothing isolates it, and whoever programs it can read and write all "
            "memory."
        )
    if reaches is None or group is None:
        return (
            ". Whether an IOMMU translates for it cannot be told; if one does, DMA to "
            "the addresses that DPDK gives the device fails."
        )
    kind = shown(value_or(group.type, "unknown"))
    return (
        f", and the IOMMU translates for group {group.id} (its type is {kind}): the "
        "physical addresses that DPDK gives the device mean nothing there, and its DMA "
        "fails."
    )


def _remedy(machine: Machine, group: Group | None, *, reaches: bool | None) -> str:
    if group is None:
        return "Nothing to do where the program is trusted with the whole machine."
    # iommu= is parsed below arch/x86 and arch/powerpc only.
    is_arm = iommu_maker(machine) is Maker.ARM
    word = "iommu.passthrough=1" if is_arm else "iommu=pt"
    other = "" if reaches else f" (or boot with {word}, which does not)"
    return f"Use VFIO, which isolates the device{other}."


RULE = Rule(ABOUT, check_machine=_check)
