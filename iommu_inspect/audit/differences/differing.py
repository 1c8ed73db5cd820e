"""Holds two sources of one machine against each other."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from iommu_inspect.audit.differences.hands import (
    DriverChange,
    OwnerChange,
    driver_changes,
    owner_changes,
)
from iommu_inspect.audit.differences.host import SettingChange, setting_changes
from iommu_inspect.audit.differences.matching import Alike, Matching, Pair, match
from iommu_inspect.audit.differences.placing import parted, place
from iommu_inspect.audit.differences.prospects import (
    ProspectChange,
    prospect_changes,
    unlike_sights,
)
from iommu_inspect.audit.differences.regrouping import (
    Placed,
    Regrouped,
    group_of,
    regrouped,
)
from iommu_inspect.audit.summary import summary
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Purpose

__all__ = ["Differences", "Side", "Uncompared", "What", "differences"]


class Side(enum.Enum):
    """Which source does not show something."""

    BEFORE = "before"
    AFTER = "after"
    BOTH = "both"


class What(enum.Enum):
    """What cannot be compared."""

    GROUPS = "groups"
    DRIVERS = "drivers"
    DEVICES = "devices"
    VERDICTS = "verdicts"


@dataclass(frozen=True, slots=True, eq=False)
class Uncompared:
    """What cannot be compared, of which devices, and which source does not show it.

    ``lacking`` names what else one source alone shows, where an answer hangs on it.
    """

    what: What
    side: Side
    devices: tuple[Device, ...] = ()
    lacking: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class Differences:
    """What is otherwise than before; renumbered groups are not.

    ``shifted`` are devices at another address; ``added`` and ``removed`` those that
    only one source has, where the other would have shown them. ``ungrouped`` have no
    group any more, ``grouped`` have one now. ``alike`` cannot be told apart.
    """

    before: Machine
    after: Machine
    purpose: Purpose
    matching: Matching
    groups: tuple[Regrouped, ...] = ()
    ungrouped: tuple[Placed, ...] = ()
    grouped: tuple[Placed, ...] = ()
    prospects: tuple[ProspectChange, ...] = ()
    owners: tuple[OwnerChange, ...] = ()
    drivers: tuple[DriverChange, ...] = ()
    added: tuple[Device, ...] = ()
    removed: tuple[Device, ...] = ()
    shifted: tuple[Pair, ...] = ()
    alike: tuple[Alike, ...] = ()
    settings: tuple[SettingChange, ...] = ()
    uncompared: tuple[Uncompared, ...] = ()

    @property
    def same(self) -> bool | None:
        """Say whether nothing differs; ``None`` where not enough could be compared.

        What neither source shows is left out of it, but for the groups: without them
        there is nothing to compare.
        """
        told = (
            *(self.groups, self.ungrouped, self.grouped, self.prospects, self.owners),
            *(self.drivers, self.added, self.removed, self.shifted, self.settings),
        )
        if any(told) or any(a.told_apart for a in self.alike):
            return False
        open_questions = [
            each
            for each in self.uncompared
            if each.what is not What.DRIVERS or each.side is not Side.BOTH
        ]
        return None if open_questions or self.alike else True


def differences(
    before: Machine,
    after: Machine,
    semantics: tuple[Semantics, Semantics],
    *,
    purpose: Purpose = Purpose.VFIO,
) -> Differences:
    """Compare two sources, each under the rules that apply to it."""
    matching = match(before, after)
    removed, hidden_now = parted(matching.before_only, before, after)
    added, hidden_then = parted(matching.after_only, after, before)
    placed, unplaced = place(matching, before, after)
    groups = regrouped(placed, added, removed)
    old, new = Inquiry(before, semantics[0]), Inquiry(after, semantics[1])
    altered = {
        group.id
        for r in groups
        if len(r.before) + len(r.after) > 2
        for group in r.after
    }
    lacking = unlike_sights(before, after)
    prospects, untold = prospect_changes(
        [*placed, *unplaced],
        summary(Case(old, (), purpose), (), strict=False),
        summary(Case(new, (), purpose), (), strict=False),
        alike=not lacking,
    )
    uncompared = [
        *_unshown(What.GROUPS, _groupless(matching, before, after)),
        *_unshown(What.DRIVERS, _driverless(matching)),
        *_hidden(hidden_then, Side.BEFORE),
        *_hidden(hidden_now, Side.AFTER),
    ]
    if untold:
        uncompared.append(Uncompared(What.VERDICTS, Side.BOTH, untold, lacking))
    return Differences(
        before,
        after,
        purpose,
        matching,
        groups,
        ungrouped=tuple(p for p in placed if p.before and not p.after),
        grouped=tuple(p for p in placed if p.after and not p.before),
        prospects=prospects,
        owners=tuple(owner_changes(placed, old, new, altered)),
        drivers=tuple(driver_changes(matching.pairs)),
        added=added,
        removed=removed,
        shifted=tuple(pair for pair in matching.pairs if pair.shifted),
        alike=matching.alike,
        settings=setting_changes(before, after),
        uncompared=tuple(uncompared),
    )


def _groupless(
    matching: Matching, before: Machine, after: Machine
) -> Iterable[tuple[Device, bool, bool]]:
    for pair in matching.pairs:
        yield (
            pair.after,
            known(group_of(before, pair.before)),
            known(group_of(after, pair.after)),
        )


def _driverless(matching: Matching) -> Iterable[tuple[Device, bool, bool]]:
    for pair in matching.pairs:
        yield pair.after, known(pair.before.driver), known(pair.after.driver)


def _unshown(
    what: What, shown: Iterable[tuple[Device, bool, bool]]
) -> Iterable[Uncompared]:
    """Put together the devices of which the same sources do not show a fact."""
    sides = {
        (False, True): Side.BEFORE,
        (True, False): Side.AFTER,
        (False, False): Side.BOTH,
    }
    found: dict[Side, list[Device]] = {side: [] for side in Side}
    for device, before, after in shown:
        if not before or not after:
            found[sides[before, after]].append(device)
    for side, devices in found.items():
        if devices:
            yield Uncompared(what, side, tuple(devices))


def _hidden(devices: tuple[Device, ...], side: Side) -> Iterable[Uncompared]:
    if devices:
        yield Uncompared(What.DEVICES, side, devices)
