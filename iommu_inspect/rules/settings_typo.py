"""A setting for passthrough that does not do what it seems to say."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.host.dynamic_ids import DynamicId
from iommu_inspect.model.host.settings import ModprobeConfig
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._cures import ByAddress, Cure, Look, Looking, WriteLine
from iommu_inspect.rules._ids import not_to_be_taken, warned
from iommu_inspect.rules._words import addresses, bound_to, verb
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.settings.id_index import IdIndex
from iommu_inspect.settings.lint import Oddity, lint
from iommu_inspect.settings.maker import iommu_maker, knows_relax_rmrr

ABOUT = About(
    id="settings-typo",
    summary="a setting for passthrough is misspelt or has no effect",
    severity=Severity.WARNING,
)


def _check(case: Case) -> Iterator[Finding]:
    machine = case.machine
    for oddity in case.inquiry.once("oddities", lambda: _oddities(machine)):
        yield _judge(case, oddity)
    unread = value_or(machine.settings.modprobe, ModprobeConfig()).unread
    if unread and case.targets:
        says = verb(unread, "it says", "they say")
        yield case.finding(
            None,
            f"{listed(map(shown, unread))} could not be read: what {says} about "
            "vfio-pci is not known.",
            f"Look what {says} about vfio-pci, as root.",
            severity=Severity.INFO,
            certainty=Certainty.UNKNOWN,
            cures=(Look(Looking.SETTINGS, file) for file in unread),
        )


def _oddities(machine: Machine) -> tuple[Oddity, ...]:
    return lint(machine.settings, iommu_maker(machine), knows_relax_rmrr(machine))


def _judge(case: Case, oddity: Oddity) -> Finding:
    missed = _missed(case, oddity)
    in_scope = [d for d in missed if not case.targets or case.asked_for(d)]
    severity, effect = Severity.INFO, ""
    if in_scope:
        severity = Severity.ERROR if case.targets else Severity.WARNING
        states = listed(f"{shown(d.address)} is {bound_to(d)}" for d in in_scope)
        effect = f" {states}."
    elif oddity.about_iommu and _is_off(case.machine):
        severity = Severity.WARNING
        effect = " No device of this host has an IOMMU group."
    remedy, cures = oddity.fix.prose, tuple(_cures(oddity, in_scope))
    lost, sure = not_to_be_taken(case.machine, tuple(_helped(case, oddity)))
    if lost:
        remedy, cures = " ".join(warned(lost, sure=sure)), ()
    return case.finding(
        in_scope[0] if in_scope else None,
        f"{shown(oddity.text)} {oddity.where}: {oddity.why}.{effect}",
        remedy,
        others=in_scope,
        severity=severity,
        certainty=Certainty.DERIVED if oddity.sure else Certainty.UNKNOWN,
        step=f"mend the ids for {addresses(in_scope)}" if in_scope else "",
        cures=cures,
    )


def _helped(case: Case, oddity: Oddity) -> Iterator[DynamicId]:
    """Yield the ids that have their effect once this is mended."""
    yield from oddity.lost
    if oddity.fix.line.startswith("softdep "):
        for setting in case.ids("vfio_pci"):
            yield from setting.entries


def _cures(oddity: Oddity, missed: list[Device]) -> Iterator[Cure]:
    if oddity.fix.line:
        yield WriteLine(oddity.fix.file, oddity.fix.line)
    places = frozenset(oddity.lost_addresses)
    for device in missed:
        if device.address in places:
            yield ByAddress(device.id, oddity.driver)


def _missed(case: Case, oddity: Oddity) -> list[Device]:
    """Return the devices that the setting is about and that no vfio driver has."""
    index, places = IdIndex(oddity.lost), frozenset(oddity.lost_addresses)
    if not oddity.lost and not places:
        return []
    return [
        device
        for device in case.machine.devices
        if has_vfio_driver(device) is False
        and device.is_bridge is not True
        and (
            device.address in places or any(named for _, named in index.naming(device))
        )
    ]


def _is_off(machine: Machine) -> bool:
    return machine.groups_known and not machine.groups


RULE = Rule(ABOUT, check_machine=_check)
