"""Some users insist on a group of one device."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import SINGLETON
from iommu_inspect.model.machine import Device, Group
from iommu_inspect.rules._words import addresses, listed
from iommu_inspect.rules.base import Case, Certainty, Finding, Rule, Severity

__all__ = ["RULE"]

ID = "singleton-assumption"


def _check(case: Case, group: Group) -> Iterator[Finding]:
    if len(group.devices) < 2:
        return
    asked = case.targets_in(group)
    subject = asked[0] if asked else _first_endpoint(group)
    singleton_check = any(era.singleton_check for era in case.semantics.eras)
    message = f"Group {group.id} has {len(group.devices)} devices: {subject.address}"
    message += f" shares it with {_sharers(group, subject)}. "
    if singleton_check:
        message += "iommu_attach_device() returns -EINVAL for each of them, and m"
    else:
        message += "M"
    message += "anagers that take one device per group refuse it."
    yield Finding(
        rule=ID,
        severity=_severity(case, group, subject),
        certainty=Certainty.KERNEL,
        group=group.id,
        devices=(
            subject.address,
            *(d.address for d in group.devices if d is not subject),
        ),
        message=message,
        remedy=_remedy(group, subject),
        references=(str(SINGLETON),),
    )


def _severity(case: Case, group: Group, subject: Device) -> Severity:
    """A card with its functions and its port is what people hand over all the time."""
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
    same_pf = {one.pci.physfn or one.address} & {other.pci.physfn or other.address}
    return first.slot_name == second.slot_name or bool(same_pf)


RULE = Rule(
    id=ID,
    summary="a group has more than one device",
    check_group=_check,
)
