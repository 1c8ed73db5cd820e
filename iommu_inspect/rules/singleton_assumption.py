"""Some users insist on a group of one device."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import SINGLETON
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import listed
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE, Purpose

ABOUT = About(
    id="singleton-assumption",
    summary="a group has more than one device",
    severity=Severity.INFO,
    references=(SINGLETON,),
    purposes=EVERY_PURPOSE,
)


def _check(case: Case, group: Group) -> Iterator[Finding]:
    if len(group.devices) < 2:
        return
    asked = case.targets_in(group)
    subject = asked[0] if asked else _first_endpoint(group)
    severity, certainty = _severity(case, group, subject)
    singleton_check = any(era.singleton_check for era in case.semantics.eras)
    message = f"Group {group.id} has {len(group.devices)} devices: {subject.address}"
    message += f" shares it with {_sharers(group, subject)}. "
    if singleton_check:
        message += "iommu_attach_device() returns -EINVAL for each of them, and m"
    else:
        message += "M"
    message += "anagers that take one device per group refuse it."
    yield case.finding(
        subject,
        message,
        _remedy(group, subject),
        others=case.neighbours(subject),
        severity=severity,
        certainty=certainty,
        step="choose a device that is alone in its group",
        final=True,
    )


def _severity(case: Case, group: Group, subject: Device) -> tuple[Severity, Certainty]:
    """A card with its functions and its port is what people hand over all the time.

    To a manager that takes one device a group, or to iommu_attach_device(), it is an
    error all the same; managers leave the bridges out, the kernel does not.
    """
    if case.purpose is Purpose.ATTACH:
        return _if_attached(case)
    if case.purpose is Purpose.ONE_PER_GROUP and case.handed_over(group):
        endpoints = [d.is_bridge for d in group.devices if d.is_bridge is not True]
        if sum(is_bridge is False for is_bridge in endpoints) > 1:
            return Severity.ERROR, Certainty.KERNEL
        if len(endpoints) > 1:
            return Severity.ERROR, Certainty.UNKNOWN
    return _if_vfio(case, group, subject), Certainty.KERNEL


def _if_attached(case: Case) -> tuple[Severity, Certainty]:
    """The kernel's own answer decides, in each era that may apply."""
    checks = {
        era.singleton_check and not era.single_driver for era in case.semantics.eras
    }
    if not case.targets or checks == {False}:
        return Severity.INFO, Certainty.KERNEL
    certain = checks == {True}
    return Severity.ERROR, Certainty.KERNEL if certain else Certainty.UNKNOWN


def _if_vfio(case: Case, group: Group, subject: Device) -> Severity:
    others = [d for d in group.devices if d is not subject and d.is_bridge is not True]
    strangers = [d for d in others if not _same_card(subject, d)]
    matters = strangers and case.handed_over(group)
    return Severity.WARNING if matters else Severity.INFO


def _remedy(group: Group, subject: Device) -> str:
    others = [d for d in group.devices if d is not subject and d.is_bridge is not True]
    if others and all(_same_card(subject, d) for d in others):
        return (
            "VFIO takes the group as a whole. Functions of one card belong together; "
            "an owner that needs a group of one cannot have them."
        )
    return (
        "VFIO takes the group as a whole. For an owner that needs a group of one, put "
        "the card into a slot below another root port, if its ports isolate it."
    )


def _first_endpoint(group: Group) -> Device:
    endpoints = [d for d in group.devices if d.is_bridge is not True]
    return endpoints[0] if endpoints else group.devices[0]


def _sharers(group: Group, subject: Device) -> str:
    """Tell functions of the same card, bridges and unrelated devices apart."""
    others = [d for d in group.devices if d is not subject]
    bridges = [d for d in others if d.is_bridge is True]
    endpoints = [d for d in others if d.is_bridge is not True]
    same_card = [d for d in endpoints if _same_card(subject, d)]
    strangers = [d for d in endpoints if not _same_card(subject, d)]
    parts = []
    if same_card:
        parts.append(_counted(same_card, "other function", " of the same card"))
    if strangers:
        parts.append(_counted(strangers, "unrelated device"))
    if bridges:
        parts.append(_counted(bridges, "bridge"))
    return listed(parts)


def _counted(devices: list[Device], noun: str, after: str = "") -> str:
    plural = "" if len(devices) == 1 else "s"
    return f"{len(devices)} {noun}{plural}{after} ({addresses(devices)})"


def _same_card(one: Device, other: Device) -> bool:
    """Functions of one slot, or a physical function and its virtual ones."""
    first, second = one.pci_address, other.pci_address
    if first is None or second is None:
        return False
    cards = {value_or(d.pci.physfn, None) or d.id for d in (one, other)}
    return first.slot_name == second.slot_name or len(cards) == 1


RULE = Rule(ABOUT, check_group=_check)
