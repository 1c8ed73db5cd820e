"""``vfio-pci.ids`` names a device that was asked for, and another one like it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import works_through
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._words import addresses, bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.cures import ByAddress
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.settings.dynamic_ids import DynamicId
from iommu_inspect.settings.ids import ID_DRIVERS, IdSetting, id_settings, named_by

ABOUT = About(
    id="ids-take-others",
    summary="vfio-pci.ids also names a device that was not asked for",
    severity=Severity.WARNING,
    joint=True,
)


@dataclass(frozen=True, slots=True)
class _Named:
    """A device that an entry names; ``sure`` is false where a fact is missing."""

    device: Device
    sure: bool


def _check(case: Case) -> Iterator[Finding]:
    for module in ID_DRIVERS:
        for setting in id_settings(case.machine.settings, module):
            if not setting.in_force:
                continue
            for entry in dict.fromkeys(setting.entries):
                named = list(_named(case, setting, entry))
                yield from _judge(case, setting, entry, named)


def _named(case: Case, setting: IdSetting, entry: DynamicId) -> Iterator[_Named]:
    for device in case.machine.devices:
        if _overridden(device, setting.module):
            continue
        for found, sure in named_by(setting, device):
            if found == entry:
                yield _Named(device, sure is True)
                break


def _overridden(device: Device, module: str) -> bool:
    """Say whether driver_override keeps the driver off, whatever the ids are.

    A device with an override matches the driver of that name and no other
    (``pci_match_device()`` in drivers/pci/pci-driver.c).
    """
    override = device.driver_override
    if override is None or not known(override):
        return False
    return normalised(override) != module


def _judge(
    case: Case, setting: IdSetting, entry: DynamicId, named: list[_Named]
) -> Iterator[Finding]:
    wanted = [n.device for n in named if _is_wanted(case, n.device, setting.module)]
    # A neighbour in the same group has to go along anyway.
    groups = {id(group) for d in wanted if (group := case.machine.group_of(d))}
    others = [
        n
        for n in named
        if not any(n.device is d for d in wanted)
        and id(case.machine.group_of(n.device)) not in groups
    ]
    if not case.targets:
        on_host = [n for n in others if case.role(n.device) is Role.KERNEL]
        if wanted and not others:
            yield from _all_taken(case, setting, entry, wanted)
        if not on_host:
            return
    if not wanted or not others:
        return
    yield _conflict(case, setting, entry, wanted, others)


def _all_taken(
    case: Case, setting: IdSetting, entry: DynamicId, taken: list[Device]
) -> Iterator[Finding]:
    """Say that one id took every card of its kind, where one may have been meant.

    Two cards are a pair of which one is often meant for the host; of more, all are.
    """
    cards = {_card(device) for device in taken}
    groups = {id(case.machine.group_of(device)) for device in taken}
    if len(cards) < 2 or len(groups) < 2:
        return
    driver = ID_DRIVERS[setting.module]
    both = "both" if len(taken) == 2 else "all of them"
    yield case.finding(
        taken[0],
        f"The id {shown(entry.text)} {setting.where} names {addresses(taken)}, and "
        f"{driver} has {both}: ids cannot tell two alike devices apart.",
        "Nothing to do if that is wanted. If the host is to keep one, take "
        f"{shown(entry.text)} out of ids= and choose the other by address (driverctl "
        "keeps that over boots).",
        others=taken,
        severity=Severity.WARNING if len(cards) == 2 else Severity.INFO,
        certainty=Certainty.DERIVED,
    )


def _card(device: Device) -> str:
    """Name the card that a function is on: its address without the function."""
    return device.address.rpartition(".")[0]


def _is_wanted(case: Case, device: Device, module: str) -> bool:
    """Say whether a device is meant to be handed over.

    Without targets those are meant that the driver has taken already. What DPDK works
    with through its own driver is not.
    """
    if case.purpose is Purpose.DPDK and works_through(device) is not None:
        return False
    if case.targets:
        return case.asked_for(device)
    driver = device.driver
    return isinstance(driver, str) and normalised(driver) == module


def _conflict(
    case: Case,
    setting: IdSetting,
    entry: DynamicId,
    wanted: list[Device],
    others: list[_Named],
) -> Finding:
    in_use = [n for n in others if case.role(n.device) is Role.KERNEL]
    states = listed(f"{shown(n.device.address)} ({bound_to(n.device)})" for n in others)
    it = "it" if len(others) == 1 else "them"
    driver = ID_DRIVERS[setting.module]
    taken = all(has_vfio_driver(d) for d in wanted)
    severity: Severity | None = None
    if in_use:
        future = f"At the next boot {driver} may take {it} from the host too."
        if case.targets and not taken and all(n.sure for n in in_use):
            severity = Severity.ERROR
    elif all(has_vfio_driver(n.device) for n in others):
        future = f"{driver} has taken {it} as well."
        if case.targets and taken:
            severity = Severity.INFO
    else:
        future = f"{driver} takes {it} as well when it is loaded."
    sure = all(n.sure for n in others)
    return case.finding(
        wanted[0],
        f"The id {shown(entry.text)} {setting.where} names {addresses(wanted)}, but "
        f"{'also' if sure else 'perhaps also'} {states}: ids cannot tell two alike "
        f"devices apart. {future}",
        f"Take {shown(entry.text)} out of ids= and choose by address (driverctl keeps "
        "that over boots).",
        others=(*wanted, *(n.device for n in others)),
        severity=severity,
        certainty=Certainty.DERIVED if sure else Certainty.UNKNOWN,
        step=f"choose {addresses(wanted)} by address, not by id",
        cures=(ByAddress(device.id, driver) for device in wanted),
    )


RULE = Rule(ABOUT, check_machine=_check)
