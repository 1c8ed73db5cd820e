"""``ids=`` names a device that this host does not have."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from iommu_inspect.model.asked.near import is_near
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.host.dynamic_ids import ANY, DynamicId
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.settings.ids import ID_DRIVERS, IdSetting

ABOUT = About(
    id="ids-name-nothing",
    summary="vfio-pci.ids names a device that is not there",
    severity=Severity.WARNING,
)
_MOST = 3


def _check(case: Case) -> Iterator[Finding]:
    functions = [d for d in case.machine.devices if d.is_pci]
    if not functions or any(d.ids.pair is None for d in functions):
        return  # the one that is not told may be the one that is named
    for module in ID_DRIVERS:
        for setting in case.ids(module):
            if setting.in_force:
                yield from _nameless(case, setting, functions)


def _nameless(
    case: Case, setting: IdSetting, functions: list[Device]
) -> Iterator[Finding]:
    named: set[DynamicId] = set()
    free: list[Device] = []
    pairs = {entry.numbers[:2] for entry in setting.entries}
    of_bridges = set()
    for device in functions:
        if device.is_bridge is True:
            # vfio-pci has no use for it, but its id is none that is not there.
            mine = _pairs(device)
            of_bridges |= mine
            is_named = not pairs.isdisjoint(mine)
        else:
            found = [entry for entry, _ in setting.index.naming(device)]
            named.update(found)
            is_named = bool(found)
        if not is_named:
            free.append(device)
    near = _Near(free)
    for entry in setting.entries:
        if entry not in named and entry.numbers[:2] not in of_bridges:
            yield _nobody(case, setting, entry, near.to(entry))


def _pairs(device: Device) -> set[tuple[int, ...]]:
    """Return what an entry may begin with to name a device."""
    has = (device.ids.vendor, device.ids.device)
    return set(product(*((n, ANY) for n in has if known(n))))


def _nobody(
    case: Case, setting: IdSetting, entry: DynamicId, near: list[Device]
) -> Finding:
    missed = [d for d in near if has_vfio_driver(d) is False]
    mine = [d for d in missed if not case.targets or case.asked_for(d)]
    message = (
        f"The id {shown(entry.text)} {setting.where} names no device of this host."
    )
    if near:
        names = listed(
            f"{d.ids.pair} ({shown(d.address)}, {bound_to(d)})" for d in near
        )
        message += f" Near it is {names}."
    return case.finding(
        mine[0] if mine else None,
        message,
        (
            "If that was meant, write its id in ids=, or choose it by address "
            "(driverctl keeps that over boots)."
            if near
            else "Take it out, unless it is for a device that is plugged in at times."
        ),
        others=mine,
        severity=Severity.WARNING if mine else Severity.INFO,
        certainty=Certainty.DERIVED,
    )


class _Near:
    """Endpoints, to be found by ids that somebody may have mistyped or read wrongly.

    That is one digit wrong or two exchanged; the subsystem's id in the device's place,
    which lspci shows as well; or a wrong subsystem behind the right id. Where many are
    near, as functions of one chipset are, none of them is.
    """

    def __init__(self, free: list[Device]) -> None:
        self._free = free
        self._by_pair: dict[str, list[int]] = {}
        self._by_subsystem: dict[tuple[object, ...], list[int]] = {}
        self._pairs: dict[str, list[str]] = {}
        for rank, device in enumerate(free):
            if device.is_bridge is True or device.is_chipset:
                continue
            ids = device.ids
            subsystem = (ids.subsystem_vendor, ids.subsystem_device)
            self._by_subsystem.setdefault(subsystem, []).append(rank)
            self._by_pair.setdefault(str(ids.pair), []).append(rank)
        for pair in self._by_pair:
            for short in _shortened(pair):
                self._pairs.setdefault(short, []).append(pair)

    def to(self, entry: DynamicId) -> list[Device]:
        """Return what is near an entry that names nothing."""
        if entry.vendor == ANY or entry.device == ANY:
            return []
        said = f"{entry.vendor:04x}:{entry.device:04x}"
        # Words that differ by one letter are alike without one of them.
        pairs = {p for short in _shortened(said) for p in self._pairs.get(short, ())}
        ranks = set(
            self._by_subsystem.get((entry.vendor, entry.device), [])[: _MOST + 1]
        )
        for pair in pairs:
            if len(ranks) > _MOST:
                break
            if pair == said or is_near(said, pair):
                ranks.update(self._by_pair[pair][: _MOST + 1])
        return (
            [self._free[rank] for rank in sorted(ranks)] if len(ranks) <= _MOST else []
        )


def _shortened(word: str) -> set[str]:
    """Return a word, and the word without each one of its letters."""
    return {word, *(word[:at] + word[at + 1 :] for at in range(len(word)))}


RULE = Rule(ABOUT, check_machine=_check)
