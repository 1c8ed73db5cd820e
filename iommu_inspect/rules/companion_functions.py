"""Functions of the same graphics card that stay behind with the host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, host_keeps
from iommu_inspect.model.fact import known
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_DISPLAY,
    PCI_CLASS_MULTIMEDIA_HD_AUDIO,
    PCI_CLASS_SERIAL_OTHER,
    PCI_CLASS_SERIAL_USB,
    PCI_VENDOR_ID_AMD,
    PCI_VENDOR_ID_ATI,
    PCI_VENDOR_ID_NVIDIA,
)
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._words import addresses, bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="companion-functions",
    summary="functions of the same graphics card stay with the host",
    severity=Severity.WARNING,
    references=("drivers/pci/quirks.c: quirk_gpu_hda() and others",),
)
# Classes of functions that drivers/pci/quirks.c makes depend on function 0, a display
# (quirk_gpu_hda(), quirk_gpu_usb(), quirk_gpu_usb_typec_ucsi()), and their vendors.
_OF_CARDS = (PCI_VENDOR_ID_ATI, PCI_VENDOR_ID_NVIDIA)
_LINKED = {
    PCI_CLASS_MULTIMEDIA_HD_AUDIO: (PCI_VENDOR_ID_AMD, *_OF_CARDS),
    PCI_CLASS_SERIAL_USB: _OF_CARDS,
    PCI_CLASS_SERIAL_OTHER: _OF_CARDS,
}


def _check(case: Case, device: Device) -> Iterator[Finding]:
    companions = [
        other
        for other in _of_slot(case, device)
        if _is_linked(device, other)
        and not case.asked_for(other)
        and not case.share_group(device, other)  # mixed-ownership speaks of those
    ]
    kept = [other for other in companions if host_keeps(other)]
    if kept:
        yield _left_behind(case, device, kept)
        return
    untold = [
        other
        for other in companions
        if not known(other.driver) and has_vfio_driver(other) is None
    ]
    if untold:
        yield case.finding(
            device,
            f"The source does not tell which drivers hold {addresses(untold)}, of the "
            f"same card as {shown(device.address)}"
            f"{' and in a group apart' if _apart(case, device, untold) else ''}.",
            "If a driver of the host holds them, hand them over with the display.",
            others=untold,
            severity=Severity.INFO,
            certainty=Certainty.UNKNOWN,
        )


def _of_slot(case: Case, device: Device) -> Sequence[Device]:
    """Return the functions of a device's slot, itself among them."""
    place = device.pci_address
    return () if place is None else case.machine.in_slot(place)


def _left_behind(case: Case, device: Device, kept: list[Device]) -> Finding:
    held = listed(f"{shown(other.address)} ({bound_to(other)})" for other in kept)
    one = len(kept) == 1
    where, perhaps = "", ""
    if _apart(case, device, kept):
        where = f", in {'a group' if one else 'groups'} apart,"
    elif not _groups_told(case, device, kept):
        perhaps = (
            f" The source does not tell whether {'it shares' if one else 'they share'} "
            "its group, which goes to user space as a whole or not at all."
        )
    return case.finding(
        device,
        f"{held} {'is a function' if one else 'are functions'} of the same card as the "
        f"display {_display(device)}{where} and {'stays' if one else 'stay'} with the "
        f"host: its {'driver works' if one else 'drivers work'} on a card that the "
        f"guest resets and puts to sleep.{perhaps}",
        "Hand them over together.",
        others=kept,
    )


def _display(device: Device) -> str:
    """Name the display, and the driver that it is on where it is on one."""
    bound = isinstance(device.driver, str)
    return f"{shown(device.address)}{f' ({bound_to(device)})' if bound else ''}"


def _groups_told(case: Case, device: Device, others: list[Device]) -> bool:
    machine = case.machine
    return machine.groups_known and all(known(d.group) for d in (device, *others))


def _apart(case: Case, device: Device, others: list[Device]) -> bool:
    """Say whether all of them have groups, and others than the device."""
    groups = [case.machine.group_of(d) for d in (device, *others)]
    told = _groups_told(case, device, others)
    return told and all(group is not None for group in groups)


def _is_linked(device: Device, other: Device) -> bool:
    """Say whether the kernel makes ``other`` depend on ``device``, of its slot."""
    base, kind, vendor = device.base_class, other.base_class, other.ids.vendor
    if not known(vendor):  # functions of one card are of one maker
        vendor = device.ids.vendor
    if not known(base) or not known(kind) or not known(vendor):
        return False
    if base >> 8 != PCI_BASE_CLASS_DISPLAY or vendor not in _LINKED.get(kind, ()):
        return False
    first, second = device.pci_address, other.pci_address
    return (
        first is not None
        and second is not None
        and (first.slot_name, first.function) == (second.slot_name, 0)
        and other is not device
        and not other.pci.is_virtual
    )


RULE = Rule(ABOUT, check_device=_check)
