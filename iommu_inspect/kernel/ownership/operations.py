"""What the kernel would answer to each ownership operation, asked right now.

Every answer for a machine that was read supposes that nobody holds the group at this
moment: sysfs does not show it, and opening the group to find out would disturb its
user. Hypothetical steps know who holds a group (``Group.held``).
"""

from __future__ import annotations

from collections.abc import Callable

from iommu_inspect.kernel.answers import (
    NOT_APPLICABLE,
    OK,
    UNKNOWN,
    Answer,
)
from iommu_inspect.kernel.citations import (
    CLAIM_BY_VFIO,
    DMA_OWNER_BUSES,
    DMA_OWNER_INTERFACES,
    VFIO_VIABLE_REMOVED,
)
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership import words
from iommu_inspect.kernel.ownership.interrupts import accepted, refused_interrupts
from iommu_inspect.kernel.ownership.mappings import refused_attach, refused_claim
from iommu_inspect.kernel.ownership.proposals import PROPOSED
from iommu_inspect.kernel.ownership.roles import GroupOwnership, Role
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group, Held
from iommu_inspect.model.host.platform import Architecture
from iommu_inspect.model.machine import Machine

__all__ = [
    "ASK",
    "CLAIM",
    "GET_STATUS",
    "GROUP_OPERATIONS",
    "SET_CONTAINER",
    "SET_IOMMU",
    "cannot_open",
    "claim_refused",
]

CLAIM = "iommu_group_claim_dma_owner"
GET_STATUS = "VFIO_GROUP_GET_STATUS"
SET_CONTAINER = "VFIO_GROUP_SET_CONTAINER"
SET_IOMMU = "VFIO_SET_IOMMU"
GROUP_OPERATIONS = (CLAIM, GET_STATUS, SET_CONTAINER, SET_IOMMU)


def _claim(machine: Machine, owners: GroupOwnership, era: Era) -> Answer:
    group = owners.group
    if not era.dma_owner:
        return Answer(
            NOT_APPLICABLE,
            "mixed-ownership",
            "this kernel has no DMA ownership",
            (DMA_OWNER_INTERFACES,),
        )
    if group.is_noiommu is not False:
        return Answer(UNKNOWN, "no-iommu-mode", words.NO_IOMMU_BEHIND)
    if words.is_mediated(group):
        return Answer(UNKNOWN, "no-iommu-mode", words.MEDIATED)
    return claim_refused(machine, owners, era) or Answer(
        OK,
        "mixed-ownership",
        "no driver of the host is bound here",
        (DMA_OWNER_BUSES,),
    )


def claim_refused(machine: Machine, owners: GroupOwnership, era: Era) -> Answer | None:
    """Return why the claim does not succeed, ``None`` where it does."""
    group = owners.group
    if group.held.by_user:
        return Answer(
            "-EPERM", "mixed-ownership", words.HELD[group.held], (CLAIM_BY_VFIO,)
        )
    blockers = owners.having(Role.KERNEL)
    if blockers:
        return Answer(
            "-EPERM", "mixed-ownership", words.bound(blockers), (DMA_OWNER_BUSES,)
        )
    unknown = owners.having(Role.UNKNOWN)
    if unknown:
        return Answer(
            UNKNOWN, "mixed-ownership", words.cannot_tell(unknown), (DMA_OWNER_BUSES,)
        )
    if not group.whole:
        return Answer(UNKNOWN, "mixed-ownership", words.NOT_WHOLE)
    if group.held is Held.BY_KERNEL_DOMAIN:
        # The proposals count an attach as a use of the group, kernels do not.
        errno = "-EPERM" if era.proposal in PROPOSED else "-EBUSY"
        return Answer(errno, "mixed-ownership", words.HELD[group.held])
    return refused_claim(machine, group, era)


def _get_status(machine: Machine, owners: GroupOwnership, _era: Era) -> Answer:
    group = owners.group
    unopened = cannot_open(machine, owners)
    if unopened is not None:
        return unopened
    cite = (VFIO_VIABLE_REMOVED,)
    if group.is_noiommu is True:
        return Answer("viable", "no-iommu-mode", "vfio made this group up itself")
    blockers = owners.having(Role.KERNEL)
    if blockers:
        return Answer("not-viable", "mixed-ownership", words.bound(blockers), cite)
    unknown = owners.having(Role.UNKNOWN)
    if unknown:
        return Answer(UNKNOWN, "mixed-ownership", words.cannot_tell(unknown), cite)
    if not group.whole:
        return Answer(UNKNOWN, "mixed-ownership", words.NOT_WHOLE)
    return Answer(
        "viable",
        "mixed-ownership",
        "no driver of the host is bound here",
        cite,
    )


def cannot_open(machine: Machine, owners: GroupOwnership) -> Answer | None:
    """Return why ``/dev/vfio/<group>`` cannot be opened, ``None`` if it can."""
    group = owners.group
    if machine.vfio_groups is False:
        return Answer("-ENOENT", "not-on-vfio", words.NO_VFIO_GROUP)
    if machine.vfio_groups is None:
        return Answer(UNKNOWN, "not-on-vfio", words.UNTOLD_VFIO_GROUP)
    if owners.having(Role.VFIO):
        if group.held.by_user:
            return Answer("-EBUSY", "not-on-vfio", words.HELD[group.held])
        return None
    rule = "not-on-vfio"
    # A member whose driver is not known may be bound to a vfio driver.
    unknown = [d for d in group.devices if not known(d.driver)]
    unknown += [d for d in owners.having(Role.UNKNOWN) if known(d.driver)]
    if unknown:
        return Answer(UNKNOWN, rule, words.cannot_tell(unknown))
    if not group.whole:
        return Answer(UNKNOWN, rule, words.NOT_WHOLE)
    return Answer(
        "-ENOENT",
        rule,
        f"no device here is on a vfio driver: there is no /dev/vfio/{group.id}",
    )


def _set_container(machine: Machine, owners: GroupOwnership, era: Era) -> Answer:
    group = owners.group
    unopened = cannot_open(machine, owners)
    if unopened is not None:
        return unopened
    if group.is_noiommu is True:
        return Answer(OK, "no-iommu-mode", "a no-IOMMU group is not claimed")
    if not era.dma_owner:
        return Answer(
            OK,
            "mixed-ownership",
            "this kernel checks the group's viability later, when a device is opened",
            (VFIO_VIABLE_REMOVED,),
        )
    refused = claim_refused(machine, owners, era)
    if refused is not None:
        return refused
    return Answer(OK, "mixed-ownership", "the claim succeeds", (CLAIM_BY_VFIO,))


def _set_iommu(machine: Machine, owners: GroupOwnership, era: Era) -> Answer:
    group = owners.group
    unopened = cannot_open(machine, owners)
    if unopened is not None:
        return unopened
    container = _set_container(machine, owners, era)
    if container.result == UNKNOWN:
        return container
    if container.result != OK:
        return Answer(
            "-EINVAL",
            container.rule,
            f"the container is empty: SET_CONTAINER returned {container.result}",
            container.references,
        )
    if not known(group.is_noiommu):
        return Answer(UNKNOWN, "no-iommu-mode", words.NO_IOMMU_BEHIND)
    if group.is_noiommu is True:
        return Answer(
            "-ENODEV",
            "no-iommu-mode",
            "a no-IOMMU group takes only the VFIO_NOIOMMU_IOMMU type",
        )
    return (
        _refused_type(machine)
        or _refused_domain(group)
        or refused_attach(machine, group, era)
        or refused_interrupts(
            machine, group, era, machine.vfio.type1_allow_unsafe_interrupts
        )
        or accepted(machine)
    )


def _refused_domain(group: Group) -> Answer | None:
    """Before v5.19 the group's domain is looked at only when it is attached."""
    if group.held is Held.FREE:
        return None
    return Answer("-EBUSY", "mixed-ownership", words.HELD[group.held])


def _refused_type(machine: Machine) -> Answer | None:
    """Look for the module that serves type 1; nothing loads it on demand.

    POWER has container types of its own, and no type 1 (drivers/vfio/Kconfig).
    """
    if machine.architecture is Architecture.POWER:
        return Answer(UNKNOWN, "not-on-vfio", words.SPAPR)
    if machine.vfio.type1_loaded is True:
        return None
    if machine.vfio.type1_loaded is False and "iommufd" in machine.kernel.features:
        because = "iommufd may serve /dev/vfio/vfio in place of vfio_iommu_type1"
        return Answer(UNKNOWN, "not-on-vfio", because)
    if machine.vfio.type1_loaded is False:
        return Answer("-ENODEV", "not-on-vfio", "vfio_iommu_type1 is not loaded")
    return Answer(
        UNKNOWN,
        "not-on-vfio",
        "the source does not tell whether vfio_iommu_type1 is loaded",
    )


ASK: dict[str, Callable[[Machine, GroupOwnership, Era], Answer]] = {
    CLAIM: _claim,
    GET_STATUS: _get_status,
    SET_CONTAINER: _set_container,
    SET_IOMMU: _set_iommu,
}
"""What answers each of ``GROUP_OPERATIONS``, from a group and its members' roles."""
