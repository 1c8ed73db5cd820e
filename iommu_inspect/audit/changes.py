"""What hypothetical steps change: who owns which group, and what the rules say."""

from __future__ import annotations

from collections.abc import Container, Iterable

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry, Owned, Prediction
from iommu_inspect.kernel.steps.simulate import Simulation
from iommu_inspect.kernel.steps.step import Unplug
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import host_keeps
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import natural_key
from iommu_inspect.model.uses.losses import Loss, host_losses
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Finding
from iommu_inspect.verdict.judge import findings_of

__all__ = ["Effects", "GroupChange", "effects"]


@dataclass(frozen=True, slots=True)
class GroupChange:
    """One group that the steps changed; ``None`` where it was not there, or is not."""

    group: str
    before: Owned | None
    after: Owned | None


@dataclass(frozen=True, slots=True)
class Effects:
    """What steps lead to; of a host that crashed nothing is left to tell.

    ``groups`` are all groups after the steps, ``changes`` those that differ. The
    findings are about the groups that steps touched, judged as if each had been asked
    for, and about devices of theirs that had no group before or have none after.
    ``vanished`` are the devices that went with another one's driver, ``losses`` what
    the host used those for that its drivers let go of.
    """

    simulation: Simulation
    groups: tuple[Owned, ...]
    changes: tuple[GroupChange, ...]
    predictions: tuple[Prediction, ...]
    findings_before: tuple[Finding, ...]
    findings_after: tuple[Finding, ...]
    vanished: tuple[Device, ...] = ()
    losses: tuple[Loss, ...] = ()


def effects(before: Machine, simulation: Simulation, semantics: Semantics) -> Effects:
    """Hold the machine before the steps against the one after them."""
    old, new = Inquiry(before, semantics), Inquiry(simulation.after, semantics)
    changes = tuple(_changes(old, new))
    touched = {o.group for o in simulation.outcomes if o.group is not None}
    ids = touched | {change.group for change in changes}
    machines = (before, simulation.after)
    members = {
        d.id for m in machines for g in m.groups if g.id in ids for d in g.devices
    }
    if not simulation.alive:
        return Effects(simulation, (), (), (), _findings(old, ids, members), ())
    return Effects(
        simulation,
        tuple(map(new.owned, new.machine.groups)),
        changes,
        tuple(new.predictions()),
        _findings(old, ids, members),
        _findings(new, ids, members),
        vanished=_vanished(before, simulation),
        losses=_losses(before, simulation.after),
    )


def _vanished(before: Machine, simulation: Simulation) -> tuple[Device, ...]:
    """Return what is gone and was not pulled out by a step of its own."""
    pulled = any(isinstance(o.step, Unplug) for o in simulation.outcomes)
    there = {device.id for device in simulation.after.devices}
    if pulled:
        return ()
    return tuple(d for d in before.devices if d.id not in there)


def _losses(before: Machine, after: Machine) -> tuple[Loss, ...]:
    """Return what stood on devices that a driver of the host has no more."""
    taken = [
        device
        for device in before.devices
        if host_keeps(device)
        and ((now := after.device(device.id)) is None or now.driver != device.driver)
    ]
    return host_losses(before, taken) if taken else ()


def _changes(old: Inquiry, new: Inquiry) -> Iterable[GroupChange]:
    ids = {g.id for g in (*old.machine.groups, *new.machine.groups)}
    for group_id in sorted(ids, key=natural_key):
        before, after = old.machine.group(group_id), new.machine.group(group_id)
        if before != after:
            yield GroupChange(
                group_id,
                None if before is None else old.owned(before),
                None if after is None else new.owned(after),
            )


def _findings(
    inquiry: Inquiry, ids: Iterable[str], members: Container[DeviceId]
) -> tuple[Finding, ...]:
    groups = tuple(
        Target(f"group:{group.id}", None, group)
        for group_id in sorted(ids, key=natural_key)
        if (group := inquiry.machine.group(group_id)) is not None
    )
    alone = (d for d in inquiry.machine.ungrouped if d.id in members)
    targets = (*groups, *(Target(d.address, d, None) for d in alone))
    return findings_of(Case(inquiry, targets)) if targets else ()
