"""Some users insist on a group of one device, or name devices by their group."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from iommu_inspect.kernel.citations import SINGLETON
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._cures import AnotherSlot
from iommu_inspect.rules._isolation import Lost, lost
from iommu_inspect.rules._words import addresses, verb
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE, Purpose

ABOUT = About(
    id="singleton-assumption",
    summary="a group has more than one device",
    severity=Severity.INFO,
    references=(SINGLETON,),
    purposes=EVERY_PURPOSE,
)


@dataclass(frozen=True, slots=True)
class _View:
    """What the members of a group are to one of them.

    ``twins`` have its ids, and so are one resource with it to a manager that goes by
    ids; ``perhaps`` may have. A device without a driver is none, unless it was asked
    for as well: no manager sees it.
    """

    subject: Device
    card: tuple[Device, ...]
    strangers: tuple[Device, ...]
    bridges: tuple[Device, ...]
    twins: tuple[Device, ...]
    perhaps: tuple[Device, ...]

    @property
    def others(self) -> tuple[Device, ...]:
        """The other endpoints, those that are in the way first."""
        return (*self.twins, *self.perhaps, *self.strangers, *self.card)


def _view(case: Case, group: Group, subject: Device) -> _View:
    others = [d for d in group.devices if d is not subject]
    ends = [d for d in others if d.is_bridge is not True]
    seen = [d for d in ends if _is_seen(case, d)]
    own = subject.ids.pair

    def alike(other: Device) -> bool:
        return own is not None and other.ids.pair == own

    def untold(other: Device) -> bool:
        return own is None or other.ids.pair is None

    def unsure(other: Device) -> bool:
        """A bridge is handed to nobody, and no manager sees what has no driver."""
        if not known(other.is_bridge) or not known(subject.is_bridge):
            return True
        return not known(other.driver) and not case.is_target(other)

    return _View(
        subject,
        tuple(d for d in ends if _same_card(subject, d)),
        tuple(d for d in ends if not _same_card(subject, d)),
        tuple(d for d in others if d.is_bridge is True),
        tuple(d for d in seen if alike(d) and not unsure(d)),
        tuple(d for d in seen if untold(d) or (alike(d) and unsure(d))),
    )


def _check(case: Case, group: Group) -> Iterator[Finding]:
    if len(group.devices) < 2:
        return
    view = _of_most_concern(case, group)
    severity, certainty = _severity(case, group, view)
    where = _where(case, group, view)
    remedy, slot = _remedy(case, view, where)
    yield case.finding(
        view.subject,
        f"Group {group.id} has {len(group.devices)} devices: "
        f"{shown(view.subject.address)} shares it with {_sharers(view)}. "
        f"{_harm(case, view)}",
        remedy,
        others=case.neighbours(view.subject),
        severity=severity,
        certainty=certainty,
        step=f"put {shown(view.subject.address)} into another slot"
        if slot
        else "choose a device that is alone in its group",
        final=True,
        cures=[AnotherSlot(view.subject.id)] if slot is not False else [],
    )


def _of_most_concern(case: Case, group: Group) -> _View:
    """Look from what was asked for; of a whole group, from whoever has a twin."""
    asked = case.targets_in(group)
    if not asked:
        ends = [d for d in group.devices if d.is_bridge is not True]
        asked = tuple(ends) if group.id in case.whole_groups else tuple(ends[:1])
    subjects = asked or group.devices[:1]
    if case.purpose is Purpose.ONE_PER_GROUP:
        return _view(case, group, _of_most_alike(case, group, subjects))
    return _view(case, group, subjects[0])


def _of_most_alike(case: Case, group: Group, subjects: Sequence[Device]) -> Device:
    """Return the first that has a twin, or the first that may have one."""
    seen = [d for d in group.devices if _is_seen(case, d)]
    ids = {d.id for d in seen}
    pairs = Counter(d.ids.pair for d in seen)

    def others(device: Device, pair: str | None) -> int:
        mine = device.id in ids and device.ids.pair == pair
        return pairs[pair] - mine

    def has_twin(device: Device) -> bool:
        own = device.ids.pair
        return own is not None and others(device, own) > 0

    def may_have_one(device: Device) -> bool:
        if device.ids.pair is None:
            return len(seen) > (device.id in ids)
        return others(device, None) > 0

    perhaps = next(filter(may_have_one, subjects), subjects[0])
    return next(filter(has_twin, subjects), perhaps)


def _is_seen(case: Case, device: Device) -> bool:
    """Say whether a manager sees a member: an endpoint with a driver, or asked for."""
    if device.is_bridge is True or device.is_chipset:
        return False
    return device.driver is not None or case.is_target(device)


def _severity(case: Case, group: Group, view: _View) -> tuple[Severity, Certainty]:
    """A card with its functions and its port is what people hand over all the time."""
    if case.purpose is Purpose.ATTACH:
        return _if_attached(case)
    if case.purpose is Purpose.ONE_PER_GROUP and case.targets:
        if view.twins:
            return Severity.ERROR, Certainty.DERIVED
        if view.perhaps:
            return Severity.ERROR, Certainty.UNKNOWN
    matters = view.strangers and case.handed_over(group)
    return Severity.WARNING if matters else Severity.INFO, Certainty.KERNEL


def _if_attached(case: Case) -> tuple[Severity, Certainty]:
    """The kernel's own answer decides, in each era that may apply."""
    checks = {era.singleton_check for era in case.semantics.eras}
    if not case.targets or checks == {False}:
        return Severity.INFO, Certainty.KERNEL
    certain = checks == {True}
    return Severity.ERROR, Certainty.KERNEL if certain else Certainty.UNKNOWN


def _harm(case: Case, view: _View) -> str:
    """Say what comes of it for those who insist on one device."""
    if case.purpose is Purpose.ONE_PER_GROUP:
        return _if_one_by_one(view)
    attach = any(era.singleton_check for era in case.semantics.eras)
    if case.purpose is Purpose.ATTACH:
        return (
            "iommu_attach_device() returns -EINVAL for each of them."
            if attach
            else "This kernel's iommu_attach_device() does not mind."
        )
    by_group = "anagers that name devices by their group hand them out as one."
    if attach:
        return (
            f"iommu_attach_device() returns -EINVAL for each of them, and m{by_group}"
        )
    return f"M{by_group}"


def _if_one_by_one(view: _View) -> str:
    """Tell what KubeVirt's device plugin does (pkg/virt-handler/device-manager).

    constructDPIdevices() in pci_device.go names each device of a resource by its group
    and keeps one address for each name.
    """
    if view.twins:
        same = f"{addresses((view.subject, *view.twins))} have the same ids"
        return (
            f"{same} ({view.subject.ids.pair}), so they are one resource to a manager "
            "that goes by ids. KubeVirt names each by the group: it offers one of them "
            "and never the other. Managers that name them by address may offer both, "
            "and the second user gets -EBUSY."
        )
    if view.perhaps:
        return (
            f"Whether {addresses(view.perhaps)} "
            f"{verb(view.perhaps, 'has', 'have')} the same ids cannot be "
            "told: then "
            "KubeVirt would offer only one of them."
        )
    if view.strangers:
        return (
            "KubeVirt offers the group once for each kind of device that it is told to "
            "offer: the first user has all of it, and the second gets -EBUSY."
        )
    return "KubeVirt offers the group as one, and it goes to one user as a whole."


def _where(case: Case, group: Group, view: _View) -> Lost | None:
    """Look for the place only where somebody wants to have the group."""
    if not view.others or not (case.targets or case.handed_over(group)):
        return None
    return lost(case, view.subject, view.others[0])


def _remedy(case: Case, view: _View, where: Lost | None) -> tuple[str, bool | None]:
    """Say what would help, and whether that is another slot."""
    whole = "VFIO takes the group as a whole."
    if case.purpose is Purpose.ATTACH:
        whole = "The device needs a group of its own."
        if not view.others:
            return (
                f"{whole} It shares this one with the bridges above it: a slot below a "
                "port that isolates parts them.",
                True,
            )
    if where is None:
        return whole, None
    if case.purpose is Purpose.ONE_PER_GROUP and view.twins:
        whole = (
            "Offer one of them only, and leave the other without a driver: managers do "
            "not see it then."
        )
    return f"{whole} {where.text}", where.slot


def _sharers(view: _View) -> str:
    """Tell functions of the same card, bridges and unrelated devices apart."""
    parts = []
    if view.card:
        parts.append(_counted(view.card, "other function", " of the same card"))
    if view.strangers:
        parts.append(_counted(view.strangers, "unrelated device"))
    if view.bridges:
        parts.append(_counted(view.bridges, "bridge"))
    return listed(parts)


def _counted(devices: Sequence[Device], noun: str, after: str = "") -> str:
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
