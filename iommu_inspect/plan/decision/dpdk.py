"""What DPDK wants of a device: which driver, and whether its group matters."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.ownership.uio import (
    is_on_uio,
    reaches_memory,
    works_through,
)
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.text import shown
from iommu_inspect.plan.decision.moves import UIO, VFIO_PCI, Refusal
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Purpose

__all__ = [
    "asks_nothing_of_group",
    "driver_for_dpdk",
    "refusals_of_dpdk",
    "stays_for_dpdk",
    "without_group",
]


def driver_for_dpdk(case: Case, device: Device) -> str:
    """Return the driver that a device has to be on for DPDK.

    The kernel's own for cards that DPDK works through it for; where no IOMMU covers
    the device uio_pci_generic, with which nothing isolates it; else vfio-pci.
    """
    through = works_through(device)
    if through is not None:
        return through
    return UIO if _has_no_group(case, device) else VFIO_PCI


def _has_no_group(case: Case, device: Device) -> bool:
    """Say whether the device certainly has no group."""
    machine = case.machine
    has_none = known(device.group) and machine.groups_known
    return has_none and machine.group_of(device) is None


def without_group(case: Case) -> tuple[Device, ...]:
    """Return the devices asked for that have no group and go somewhere all the same."""
    if case.purpose is not Purpose.DPDK:
        return ()
    alone = [t.device for t in case.targets if t.group is None]
    return tuple(
        dict.fromkeys(
            device
            for device in alone
            if device is not None
            and (_has_no_group(case, device) or asks_nothing_of_group(case, device))
        )
    )


def stays_for_dpdk(case: Case, device: Device) -> str | None:
    """Say why DPDK can have a device as it is, ``None`` where that is not so."""
    if case.purpose is not Purpose.DPDK:
        return None
    through, driver = works_through(device), device.driver
    if through is not None:
        at_home = driver == through
        return (
            f"DPDK works through {shown(through)}: it stays there" if at_home else None
        )
    if is_on_uio(device) and reaches_memory(case.machine, device):
        return f"DPDK has it by {shown(str(driver))}, and no IOMMU translates for it"
    return None


def asks_nothing_of_group(case: Case, device: Device) -> bool:
    """Say whether DPDK has the device whoever else is in its group."""
    if case.purpose is not Purpose.DPDK:
        return False
    by_uio = is_on_uio(device) and reaches_memory(case.machine, device) is not False
    return by_uio or works_through(device) is not None


def refusals_of_dpdk(case: Case, device: Device) -> Iterator[Refusal]:
    """Yield what keeps a device from going where DPDK wants it."""
    if case.purpose is not Purpose.DPDK:
        return
    name, through = shown(device.address), works_through(device)
    if through is not None and not known(device.driver):
        yield Refusal(
            "not-on-vfio",
            False,
            f"DPDK works through {through} for {name}, and the source does not tell "
            "whether it is on that driver.",
            f"If it is, nothing is to be done; if not, it belongs on {through}.",
            (Look(Looking.DRIVER, device.id),),
        )
    elif is_on_uio(device) and through is None:
        if reaches_memory(case.machine, device) is None:
            yield Refusal(
                "uio-driver",
                False,
                f"Whether an IOMMU translates for {name} cannot be told: if one does, "
                "it has to go to vfio-pci; if none does, it is as DPDK wants it.",
                "Look at the type of its group: DMA and DMA-FQ translate, identity "
                "does not.",
                (Look(Looking.GROUP_TYPE, device.id),),
            )
    elif driver_for_dpdk(case, device) == UIO and device.pci.is_virtual:
        yield Refusal(
            "no-iommu",
            True,
            f"No IOMMU covers {name}, and uio_pci_generic is not for virtual "
            "functions, which have no interrupt line.",
            "What is left is vfio's no-IOMMU mode (enable_unsafe_noiommu_mode) or "
            "igb_uio of dpdk-kmods: the device, and whoever programs it, then reaches "
            "all memory. Better turn the IOMMU on.",
        )
