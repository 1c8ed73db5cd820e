"""Another device, or none, is where a person expects one."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.expectation import Expectation
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.about import EVERY_PURPOSE, About
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["RULE"]

ID = "expectation"


def _check(case: Case) -> Iterator[Finding]:
    if not case.expectations:
        return
    devices = {d.pci_address: d for d in case.machine.devices if d.is_pci}
    for expected in case.expectations:
        device = devices.get(expected.address)
        if device is not None and _ids(device) == expected.ids:
            continue
        elsewhere = _elsewhere(case, expected)
        finding = _finding(case, expected, device, elsewhere)
        if _is_asked(case, device, elsewhere):
            yield finding


def _is_asked(case: Case, device: Device | None, elsewhere: tuple[Device, ...]) -> bool:
    """Say whether a target, or its group, is at that address, or moved from there."""
    if not case.targets:
        return True
    about = elsewhere if device is None else (device,)
    return any(_is_target(case, d) for d in about)


def _is_target(case: Case, device: Device) -> bool:
    group = case.machine.group_of(device)
    return case.is_target(device) or (group is not None and group in case.groups)


def _elsewhere(case: Case, expected: Expectation) -> tuple[Device, ...]:
    """Return devices with these ids, less those that are where they should be."""
    in_place = {e.address for e in case.expectations if e.ids == expected.ids}
    return tuple(
        d
        for d in case.machine.devices
        if d.is_pci and _ids(d) == expected.ids and d.pci_address not in in_place
    )


def _finding(
    case: Case,
    expected: Expectation,
    device: Device | None,
    elsewhere: tuple[Device, ...],
) -> Finding:
    address = str(expected.address)
    told = bool(tuple(case.machine.devices)) if device is None else _is_told(device)
    # The verdict of a target that moved has to know: it is named first then.
    moved = [d for d in elsewhere if device is None and _is_target(case, d)]
    subject = device or (moved[0] if moved and case.targets else None)
    names = dict.fromkeys(
        [
            *([subject.address] if subject else []),
            address,
            *(d.address for d in elsewhere),
        ]
    )
    return Finding(
        rule=ID,
        severity=Severity.ERROR,
        certainty=Certainty.KERNEL if told else Certainty.UNKNOWN,
        group=subject.group if subject and isinstance(subject.group, str) else None,
        devices=tuple(names),
        message=_here(expected, device, told=told) + _there(case, expected, elsewhere),
        remedy=(
            "Look what has moved before anything is handed over, and correct the "
            "addresses wherever they are written down (the virtual machine, "
            "driver_override, the file of --expect)."
        ),
        step=f"find out what is at {address}",
    )


def _here(expected: Expectation, device: Device | None, *, told: bool) -> str:
    wanted = f"{expected.ids} is expected at {expected.address}"
    if device is None:
        there = "no device is there" if told else "the source shows no devices"
        return f"{wanted}, but {there}."
    if not told:
        return f"{wanted}, and the source does not tell the ids of what is there."
    return f"{wanted}, but {_ids(device)} is there."


def _there(case: Case, expected: Expectation, elsewhere: tuple[Device, ...]) -> str:
    if elsewhere:
        return f" {expected.ids} is at {addresses(elsewhere)} now."
    others = [d for d in case.machine.devices if d.is_pci]
    if not others or not all(map(_is_told, others)):
        return " Whether it is elsewhere cannot be told."
    return f" No other {expected.ids} is on this host."


def _is_told(device: Device) -> bool:
    return known(device.ids.vendor) and known(device.ids.device)


def _ids(device: Device) -> str | None:
    vendor, model = device.ids.vendor, device.ids.device
    if not known(vendor) or not known(model):
        return None
    return f"{vendor:04x}:{model:04x}"


RULE = Rule(
    About(
        id=ID,
        summary="another device, or none, is where --expect has one",
        severity=Severity.ERROR,
        purposes=EVERY_PURPOSE,
        joint=True,
    ),
    check_machine=_check,
)
