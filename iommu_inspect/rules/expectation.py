"""Another device, or none, is where a person expects one."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.expectation import Expectation
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE

ABOUT = About(
    id="expectation",
    summary="another device, or none, is where --expect has one",
    severity=Severity.ERROR,
    purposes=EVERY_PURPOSE,
    joint=True,
)


def _check(case: Case) -> Iterator[Finding]:
    if not case.expectations:
        return
    devices = {d.pci_address: d for d in case.machine.devices if d.is_pci}
    for expected in case.expectations:
        device = devices.get(expected.address)
        if device is not None and device.ids.pair == expected.ids:
            continue
        elsewhere = _elsewhere(case, expected)
        # What is there, or moved from there.
        about = elsewhere if device is None else (device,)
        if not case.targets or any(map(case.concerns, about)):
            yield _judge(case, expected, device, elsewhere)


def _elsewhere(case: Case, expected: Expectation) -> tuple[Device, ...]:
    """Return devices with these ids, less those that are where they should be."""
    in_place = {e.address for e in case.expectations if e.ids == expected.ids}
    return tuple(
        d
        for d in case.machine.devices
        if d.is_pci and d.ids.pair == expected.ids and d.pci_address not in in_place
    )


def _judge(
    case: Case,
    expected: Expectation,
    device: Device | None,
    elsewhere: tuple[Device, ...],
) -> Finding:
    told = any(True for _ in case.machine.devices)
    if device is not None:
        told = device.ids.pair is not None
    # The verdict of a target that moved has to know: it is named first then.
    moved = [d for d in elsewhere if case.targets and case.concerns(d)]
    return case.finding(
        device or next(iter(moved), None),
        _here(expected, device, told=told) + _there(case, expected, elsewhere),
        "Look what has moved before anything is handed over, and correct the "
        "addresses wherever they are written down (the virtual machine, "
        "driver_override, the file of --expect).",
        others=(*([] if device else [expected.address]), *elsewhere),
        certainty=Certainty.KERNEL if told else Certainty.UNKNOWN,
        step=f"find out what is at {expected.address}",
    )


def _here(expected: Expectation, device: Device | None, *, told: bool) -> str:
    wanted = f"{expected.ids} is expected at {expected.address}"
    if device is None:
        there = "no device is there" if told else "the source shows no devices"
        return f"{wanted}, but {there}."
    if not told:
        return f"{wanted}, and the source does not tell the ids of what is there."
    return f"{wanted}, but {device.ids.pair} is there."


def _there(case: Case, expected: Expectation, elsewhere: tuple[Device, ...]) -> str:
    if elsewhere:
        return f" {expected.ids} is at {addresses(elsewhere)} now."
    others = [d for d in case.machine.devices if d.is_pci]
    if not others or any(d.ids.pair is None for d in others):
        return " Whether it is elsewhere cannot be told."
    return f" No other {expected.ids} is on this host."


RULE = Rule(ABOUT, check_machine=_check)
