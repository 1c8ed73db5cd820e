"""The state that steps change: a machine, replaced and never modified."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeAlias

from iommu_inspect.kernel.answers import Answer
from iommu_inspect.kernel.eras import Era, Semantics
from iommu_inspect.kernel.steps.step import Step
from iommu_inspect.model.asked.target import UnknownTargetError, find_targets
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine

__all__ = [
    "Outcome",
    "Taken",
    "device_named",
    "device_of",
    "done",
    "free_group_id",
    "group_of_step",
    "only",
    "with_group",
    "with_ids",
]


@dataclass(frozen=True, slots=True)
class Outcome:
    """One step's answer; ``group`` is the one that a newcomer joins, or ``new``."""

    step: Step
    answer: Answer
    group: str | None


Taken: TypeAlias = tuple[Machine, Outcome]


def only(era: Era) -> Semantics:
    """Return the rules of one era alone."""
    return Semantics((era,), era.name, era.name)


def device_of(machine: Machine, step: Step) -> Device:
    """Return the device that a step is about.

    Raises:
        UnknownTargetError: there is none, there are several, or it is a group.
    """
    return device_named(machine, step, step.subject)


def device_named(machine: Machine, step: Step, name: str) -> Device:
    """Return the device that a word of a step names.

    Raises:
        UnknownTargetError: there is none, there are several, or it is a group.
    """
    found = find_targets(machine, [name])
    if len(found) == 1 and found[0].device is not None:
        return found[0].device
    if found[0].device is None:
        raise UnknownTargetError(f"{step.text!r} wants a device, not a group")
    names = ", ".join(device.address for target in found for device in target.devices)
    raise UnknownTargetError(
        f"{step.text!r} wants one device, and {name!r} names {len(found)}: "
        f"{names}; a step for each"
    )


def group_of_step(machine: Machine, step: Step) -> Group:
    """Return the group that ``13``, ``group:13`` or what is in it names.

    Raises:
        UnknownTargetError: there is none, or there are several.
    """
    number = step.subject.removeprefix("group:")
    name = f"group:{number}" if number.isdecimal() else step.subject
    found = {t.group.id if t.group else None for t in find_targets(machine, [name])}
    if len(found) > 1:
        raise UnknownTargetError(
            f"{step.subject!r} of {step.text!r} names devices of more than one group"
        )
    group = machine.group(found.pop() or "")
    if group is None:
        raise UnknownTargetError(f"{step.subject!r} of {step.text!r} has no group")
    return group


def done(machine: Machine, step: Step, answer: Answer, group: Group | None) -> Taken:
    """Return what a step came to, in one."""
    return machine, Outcome(step, answer, group.id if group else None)


def free_group_id(machine: Machine) -> str:
    """Return the number that a new group would get, if the source shows all groups."""
    taken = {group.id for group in machine.groups}
    number = 0
    while str(number) in taken:
        number += 1
    return str(number)


def with_group(machine: Machine, old: Group, new: Group) -> Machine:
    """Return the machine with one group replaced."""
    groups = tuple(new if group is old else group for group in machine.groups)
    return replace(machine, groups=groups)


def with_ids(machine: Machine, ids: frozenset[tuple[str, str]]) -> Machine:
    """Return the machine on which drivers were told of these ids."""
    return replace(machine, aftermath=replace(machine.aftermath, given_ids=ids))
