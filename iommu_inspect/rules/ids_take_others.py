"""``vfio-pci.ids`` names a device that was asked for, and another one like it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import islice

from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import works_through
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.host.dynamic_ids import DynamicId
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._cures import ByAddress
from iommu_inspect.rules._words import addresses, bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.settings.ids import ID_DRIVERS, IdSetting, named_by

ABOUT = About(
    id="ids-take-others",
    summary="vfio-pci.ids also names a device that was not asked for",
    severity=Severity.WARNING,
    joint=True,
)
# Others that are named in one sentence.
_MOST = 24


@dataclass(frozen=True, slots=True)
class _Named:
    """A device that an entry names; ``sure`` is false where a fact is missing.

    ``in_use`` says whether the host drives it, ``taken`` whether a vfio driver has it.
    """

    device: Device
    sure: bool
    in_use: bool
    taken: bool

    @property
    def sort(self) -> tuple[bool, bool, bool]:
        """What decides how it is spoken of."""
        return (self.sure, self.in_use, self.taken)


class _Names:
    """What one entry names, by group as well, and how many there are of each sort."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.named: dict[DeviceId, _Named] = {}
        self._in_group: dict[str | None, list[_Named]] = {}
        self._sorts: Counter[tuple[bool, bool, bool]] = Counter()

    def add(self, named: _Named) -> None:
        self.named[named.device.id] = named
        self._in_group.setdefault(self._group(named.device), []).append(named)
        self._sorts[named.sort] += 1

    def _group(self, device: Device) -> str | None:
        group = self._machine.group_of(device)
        return group.id if group is not None else None

    def others(self, wanted: list[Device]) -> _Others:
        """Return those that are not wanted: a neighbour has to go along anyway."""
        groups = dict.fromkeys(map(self._group, wanted))
        left_out = {d.id for d in wanted}
        for group in groups:
            if group is not None:
                left_out |= {n.device.id for n in self._in_group.get(group, ())}
        sorts = self._sorts - Counter(self.named[each].sort for each in left_out)
        others = (n for key, n in self.named.items() if key not in left_out)
        return _Others(sorts.total(), frozenset(sorts), tuple(islice(others, _MOST)))


@dataclass(frozen=True, slots=True)
class _Others:
    """How many there are, of which sorts, and the first of them."""

    count: int
    sorts: frozenset[tuple[bool, bool, bool]]
    first: tuple[_Named, ...]


class _Table:
    """What each entry of a setting names, and which entries name a device."""

    def __init__(self, case: Case, setting: IdSetting) -> None:
        self.names: dict[DynamicId, _Names] = {}
        self.entries: dict[DeviceId, list[DynamicId]] = {}
        for device in case.machine.devices:
            if _overridden(device, setting.module):
                continue
            in_use = case.role(device) is Role.KERNEL
            taken = has_vfio_driver(device) is True
            for entry, sure in named_by(setting, device):
                self.entries.setdefault(device.id, []).append(entry)
                names = self.names.setdefault(entry, _Names(case.machine))
                names.add(_Named(device, sure is True, in_use, taken))


def _check(case: Case) -> Iterator[Finding]:
    for module in ID_DRIVERS:
        for setting in case.ids(module):
            if setting.in_force:
                yield from _of_setting(case, setting)


def _of_setting(case: Case, setting: IdSetting) -> Iterator[Finding]:
    table = case.inquiry.once(
        ("named by ids", setting.module), lambda: _Table(case, setting)
    )
    asked = case.asked if case.targets else case.machine.devices
    wanted: dict[DynamicId, list[Device]] = {}
    for device in asked:
        if _is_wanted(case, device, setting.module):
            for entry in table.entries.get(device.id, ()):
                wanted.setdefault(entry, []).append(device)
    for entry in sorted(wanted, key=setting.rank):
        yield from _judge(case, setting, entry, wanted[entry], table.names[entry])


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
    case: Case,
    setting: IdSetting,
    entry: DynamicId,
    wanted: list[Device],
    names: _Names,
) -> Iterator[Finding]:
    others = names.others(wanted)
    if not case.targets:
        if not others.count:
            yield from _all_taken(case, setting, entry, wanted)
        if not any(in_use for _, in_use, _ in others.sorts):
            return
    if others.count:
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
    others: _Others,
) -> Finding:
    sure_in_use = {sure for sure, in_use, _ in others.sorts if in_use}
    names = [f"{shown(n.device.address)} ({bound_to(n.device)})" for n in others.first]
    if others.count > len(names):
        names.append(f"{others.count - len(names)} more")
    it = "it" if others.count == 1 else "them"
    driver = ID_DRIVERS[setting.module]
    states = {has_vfio_driver(d) for d in wanted}
    # Only of what is seen to be on no vfio driver it is certain that it matters now.
    taken, untold = states == {True}, None in states and False not in states
    severity: Severity | None = None
    if sure_in_use:
        future = f"At the next boot {driver} may take {it} from the host too."
        if case.targets and not taken and False not in sure_in_use:
            severity = Severity.ERROR
    elif all(on_vfio for _, _, on_vfio in others.sorts):
        future = f"{driver} has taken {it} as well."
        if case.targets and taken:
            severity = Severity.INFO
    else:
        future = f"{driver} takes {it} as well when it is loaded."
    sure = all(sure for sure, _, _ in others.sorts)
    return case.finding(
        wanted[0],
        f"The id {shown(entry.text)} {setting.where} names {addresses(wanted)}, but "
        f"{'also' if sure else 'perhaps also'} {listed(names)}: ids cannot tell two "
        f"alike devices apart. {future}",
        f"Take {shown(entry.text)} out of ids= and choose by address (driverctl keeps "
        "that over boots).",
        others=(*wanted, *(n.device for n in others.first)),
        severity=severity,
        certainty=Certainty.UNKNOWN
        if not sure or (severity is Severity.ERROR and untold)
        else Certainty.DERIVED,
        step=f"choose {addresses(wanted)} by address, not by id",
        cures=(ByAddress(device.id, driver) for device in wanted),
    )


RULE = Rule(ABOUT, check_machine=_check)
