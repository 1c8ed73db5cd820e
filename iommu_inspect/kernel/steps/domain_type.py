"""The type of a group's default domain is written: ``iommu_group_store_type()``.

Read in 6.1, 6.12 and 7.3; 5.10's file cannot be written.
"""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import SET_TYPE, SET_TYPE_OF_MANY
from iommu_inspect.kernel.eras import Era, has_since
from iommu_inspect.kernel.ownership.roles import GroupOwnership, Role
from iommu_inspect.kernel.steps.state import Taken, done, group_of_step, with_group
from iommu_inspect.kernel.steps.step import SetType
from iommu_inspect.model.fact import Missing, known, value_or
from iommu_inspect.model.group import Group, Held
from iommu_inspect.model.machine import Machine

__all__ = ["set_type"]

_RULE = "uio-driver"
_WRITABLE_SINCE, _FLUSH_QUEUE_SINCE = (5, 11), (5, 15)
_OF_MANY_SINCE = (6, 4)
# Drivers of IOMMUs that were read: they take either type, unless a device needs one.
_READ = ("dmar", "ivhd")


def set_type(machine: Machine, era: Era, step: SetType) -> Taken:
    """Change a group's default domain, as root.

    Up to v6.3 only a group of one device without a driver, since then any group whose
    DMA no driver and no user has. From DMA to DMA-FQ it takes a bound driver, too.
    """
    group = group_of_step(machine, step)
    answer = _answer(machine, group, era, step.type)
    if answer.result != OK:
        return done(machine, step, answer, group)
    kind = Missing.ABSENT if step.type == "auto" else step.type
    after = with_group(machine, group, replace(group, type=kind))
    return done(after, step, answer, group)


def _answer(machine: Machine, group: Group, era: Era, wanted: str) -> Answer:
    release = value_or(machine.kernel.release, "")
    of_many = has_since(release, era, _OF_MANY_SINCE)
    if of_many:
        return _since_6_4(machine, group, era, wanted)
    if of_many is None:
        because = "the kernel's version decides, and it is not known"
        return Answer(UNKNOWN, _RULE, because, (SET_TYPE, SET_TYPE_OF_MANY))
    if not has_since(release, era, _WRITABLE_SINCE):
        because = "before v5.11 the file cannot be written"
        return Answer("-EACCES", _RULE, because, (SET_TYPE,))
    if wanted == "DMA-FQ" and not has_since(release, era, _FLUSH_QUEUE_SINCE):
        because = "before v5.15 there is no type DMA-FQ"
        return Answer("-EINVAL", _RULE, because, (SET_TYPE,))
    return _of_one(machine, group, wanted)


def _since_6_4(machine: Machine, group: Group, era: Era, wanted: str) -> Answer:
    if group.is_noiommu is True:
        because = "vfio made the group up: it has no domain"
        return Answer("-EINVAL", _RULE, because)
    if wanted == "DMA-FQ" and group.type == "DMA":
        because = "a domain of type DMA gets its flush queue while it is in use"
        return Answer(OK, _RULE, because)
    if wanted == "DMA-FQ" and not known(group.type):
        because = "a group of type DMA would take it now, and its type is not told"
        return Answer(UNKNOWN, _RULE, because)
    cited = (SET_TYPE_OF_MANY,)
    owned = GroupOwnership.of(group, era)
    user = group.held.by_user
    if user or owned.having(Role.KERNEL):
        because = "user space has the group"
        if not user:
            first = owned.having(Role.KERNEL)[0]
            because = f"{first.driver} has {first.address}: it has to let go first"
        return Answer("-EPERM", _RULE, because, cited)
    if owned.having(Role.UNKNOWN) or not group.whole:
        because = "who has the group's DMA is not told"
        return Answer(UNKNOWN, _RULE, because, cited)
    return _taken(machine, group, wanted)


def _of_one(machine: Machine, group: Group, wanted: str) -> Answer:
    cited = (SET_TYPE, SET_TYPE_OF_MANY)
    if group.is_noiommu is True:
        because = "vfio made the group up: it has no domain"
        return Answer("-EINVAL", _RULE, because)
    if len(group.devices) > 1:
        because = f"before v6.4 a group of {len(group.devices)} devices keeps its type"
        return Answer("-EINVAL", _RULE, because, cited)
    if not group.whole:
        because = "whether the group has one device is not told"
        return Answer(UNKNOWN, _RULE, because, cited)
    (device,) = group.devices
    queued = wanted == "DMA-FQ" and group.type == "DMA"
    if not known(device.driver) or (wanted == "DMA-FQ" and not known(group.type)):
        because = "its driver, or its type, is not told"
        return Answer(UNKNOWN, _RULE, because, cited)
    if device.driver is not None and not queued:
        because = f"{device.driver} is bound to {device.address}"
        return Answer("-EBUSY", _RULE, because, cited)
    if group.held is not Held.FREE:
        because = "the group has a domain of its user's"
        return Answer("-EBUSY", _RULE, because, cited)
    if group.type == wanted or queued:
        because = "it has that type" if not queued else "it gets a flush queue"
        return Answer(OK, _RULE, because, cited)
    return _taken(machine, group, wanted)


def _taken(machine: Machine, group: Group, wanted: str) -> Answer:
    """Answer for a group that nobody has: its IOMMU's driver decides."""
    units = [str(unit.name) for unit in value_or(machine.iommus, ())]
    read = bool(units) and all(name.startswith(_READ) for name in units)
    if group.held is Held.BY_KERNEL_DOMAIN:
        because = "what becomes of the attached domain is not known"
        return Answer(UNKNOWN, _RULE, because)
    if not read or not known(group.type):
        because = "whether its IOMMU's driver takes that type is not known"
        return Answer(UNKNOWN, _RULE, because)
    if group.type == "identity" and wanted not in ("identity", "auto"):
        by_default = machine.kernel.command_line
        words = value_or(by_default, "").split()
        if not {"iommu=pt", "iommu.passthrough=1"}.intersection(words):
            because = "a device may need the type identity: then it is -EINVAL"
            return Answer(UNKNOWN, _RULE, because)
    return Answer(OK, _RULE, "no driver has the group's DMA: it gets the new domain")
