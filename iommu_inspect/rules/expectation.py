"""Another device, or none, is where a person expects one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from iommu_inspect.model.asked.expectation import Expectation
from iommu_inspect.model.device import Device
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
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
# Devices of one kind that a finding names.
_MOST = 64


def _check(case: Case) -> Iterator[Finding]:
    if not case.expectations:
        return

    # It is asked about each group of the host, and looks at the host once. They are no
    # part of the name: to hash them for each group would be their square.
    def make() -> _Host:
        return _Host(case.machine, case.expectations)

    host = case.inquiry.once("expected", make)
    if host.expectations is not case.expectations:
        host = make()
    wrong = host.wrong
    if case.targets:
        looked_at = [d for group in case.groups for d in group.devices]
        looked_at += case.target_devices
        wrong = {rank: host.wrong[rank] for rank in host.about(looked_at)}
    for expected, device in wrong.values():
        yield _judge(case, expected, device, host)


class _Host:
    """What is not where it is expected, and what it may be about."""

    def __init__(self, machine: Machine, expectations: tuple[Expectation, ...]) -> None:
        self.expectations = expectations
        functions = [d for d in machine.devices if d.is_pci]
        at = {d.pci_address: d for d in functions}
        in_place = {(e.ids, e.address) for e in expectations}
        self.shows_devices = any(True for _ in machine.devices)
        self.all_told = bool(functions) and all(d.ids.pair for d in functions)
        self.wrong: dict[int, tuple[Expectation, Device | None]] = {}
        self._moved: dict[str | None, list[Device]] = {}
        self._about: dict[DeviceId | str, list[int]] = {}
        for device in functions:
            if (str(device.ids.pair), device.pci_address) not in in_place:
                self._moved.setdefault(device.ids.pair, []).append(device)
        self._away = {d.id for some in self._moved.values() for d in some}
        for rank, expected in enumerate(expectations):
            there = at.get(expected.address)
            if there is not None and there.ids.pair == expected.ids:
                continue
            self.wrong[rank] = (expected, there)
            # What is there, or moved from there.
            about = expected.ids if there is None else there.id
            self._about.setdefault(about, []).append(rank)

    def moved(self, ids: str) -> Sequence[Device]:
        """Return devices with these ids, less those that are where they should be."""
        return self._moved.get(ids, ())

    def about(self, devices: Iterable[Device]) -> list[int]:
        """Return which wrong expectations concern devices, in their order."""
        found: set[int] = set()
        for device in devices:
            found.update(self._about.get(device.id, ()))
            pair = device.ids.pair
            if device.id in self._away:
                found.update(self._about.get(str(pair), ()))
        return sorted(found)


def _judge(
    case: Case, expected: Expectation, device: Device | None, host: _Host
) -> Finding:
    told = host.shows_devices
    if device is not None:
        told = device.ids.pair is not None
    moved = host.moved(expected.ids)
    # The verdict of a target that moved has to know: it is named first then.
    first = None
    if device is None and case.targets:
        first = next(filter(case.concerns, moved), None)
    return case.finding(
        device or first,
        _here(expected, device, told=told) + _there(expected, moved, host),
        "Look what has moved before anything is handed over, and correct the "
        "addresses wherever they are written down (the virtual machine, "
        "driver_override, the file of --expect).",
        others=(*([] if device else [expected.address]), *moved[:_MOST]),
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


def _there(expected: Expectation, moved: Sequence[Device], host: _Host) -> str:
    if moved:
        return f" {expected.ids} is at {addresses(moved[:_MOST])} now."
    if not host.all_told:
        return " Whether it is elsewhere cannot be told."
    return f" No other {expected.ids} is on this host."


RULE = Rule(ABOUT, check_machine=_check)
