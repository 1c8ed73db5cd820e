"""Functions of the same graphics card that stay behind with the host."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._scope import asked_for, functions_of_slot, host_keeps
from iommu_inspect.rules._words import addresses, bound_to, move_to_vfio
from iommu_inspect.rules.about import About
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["RULE"]

ID = "companion-functions"
_DISPLAY = 0x03
# Classes of functions that drivers/pci/quirks.c makes depend on function 0, a display
# (quirk_gpu_hda(), quirk_gpu_usb(), quirk_gpu_usb_typec_ucsi()), and their vendors.
_AMD, _ATI, _NVIDIA = 0x1022, 0x1002, 0x10DE
_LINKED = {
    0x0403: (_AMD, _ATI, _NVIDIA),
    0x0C03: (_ATI, _NVIDIA),
    0x0C80: (_ATI, _NVIDIA),
}


def _check(case: Case, device: Device) -> Iterator[Finding]:
    companions = [
        other
        for other in functions_of_slot(case.machine, device)
        if _is_linked(device, other)
        and not asked_for(case, other)
        and not _same_group(case, device, other)  # mixed-ownership speaks of those
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
        yield _finding(
            case,
            device,
            untold,
            Certainty.UNKNOWN,
            f"The source does not tell which drivers hold {addresses(untold)}, of the "
            f"same card as {shown(device.address)} and in a group apart.",
            "If a driver of the host holds them, hand them over with the display.",
        )


def _left_behind(case: Case, device: Device, kept: list[Device]) -> Finding:
    held = listed(f"{shown(other.address)} ({bound_to(other)})" for other in kept)
    one = len(kept) == 1
    return _finding(
        case,
        device,
        kept,
        Certainty.KERNEL,
        f"{held} {'is a function' if one else 'are functions'} of the same card as the "
        f"display {shown(device.address)}, in {'a group' if one else 'groups'} apart, "
        f"and {'stays' if one else 'stay'} with the host: its "
        f"{'driver works' if one else 'drivers work'} on a card that the guest resets "
        "and puts to sleep.",
        "\n".join(
            [
                "Hand them over together:",
                *dict.fromkeys(
                    line for other in kept for line in move_to_vfio(other).split("\n")
                ),
            ]
        ),
    )


def _finding(
    case: Case,
    device: Device,
    others: list[Device],
    certainty: Certainty,
    message: str,
    remedy: str,
) -> Finding:
    group = case.machine.group_of(device)
    unknown = certainty is Certainty.UNKNOWN
    return Finding(
        rule=ID,
        severity=Severity.INFO if unknown else Severity.WARNING,
        certainty=certainty,
        group=None if group is None else group.id,
        devices=(device.address, *(other.address for other in others)),
        message=message,
        remedy=remedy,
        references=("drivers/pci/quirks.c: quirk_gpu_hda() and others",),
    )


def _same_group(case: Case, device: Device, other: Device) -> bool:
    group = case.machine.group_of(device)
    return group is not None and case.machine.group_of(other) is group


def _is_linked(device: Device, other: Device) -> bool:
    """Say whether the kernel makes ``other`` depend on ``device``."""
    address, base = device.pci_address, device.base_class
    kind, vendor = other.base_class, other.ids.vendor
    if address is None or address.function != 0 or not known(base):
        return False
    if not known(kind) or not known(vendor):
        return False
    return base >> 8 == _DISPLAY and vendor in _LINKED.get(kind, ())


RULE = Rule(
    About(
        id=ID,
        summary="functions of the same graphics card stay with the host",
        severity=Severity.ERROR,
    ),
    check_device=_check,
)
