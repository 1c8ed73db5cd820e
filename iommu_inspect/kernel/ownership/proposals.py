"""What was proposed for groups of several devices, and never merged.

Three texts, each by its own name: the sketch of November 2021, the second call of
December, and the posting of January 2022 (``Proposal`` in kernel/eras.py).
"""

from __future__ import annotations

from iommu_inspect.kernel.answers import NOT_APPLICABLE, OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import (
    PROPOSED_SHARED,
    PROPOSED_SINGLE_DRIVER,
    SKETCHED_SINGLE_DRIVER,
)
from iommu_inspect.kernel.eras import Era, Proposal
from iommu_inspect.kernel.ownership import words
from iommu_inspect.kernel.ownership.mappings import refused_attach
from iommu_inspect.kernel.ownership.roles import GroupOwnership, Role
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Held
from iommu_inspect.model.machine import Machine

__all__ = ["ATTACH_SHARED", "PROPOSED", "attach_as_proposed", "attach_shared"]

ATTACH_SHARED = "iommu_attach_device_shared"
PROPOSED = (Proposal.SKETCHED, Proposal.POSTED)
"""The texts that change iommu_attach_device() itself."""
_RULE = "proposed-single-driver"


def attach_as_proposed(
    machine: Machine, device: Device, owners: GroupOwnership, era: Era
) -> Answer:
    """Answer iommu_attach_device() with a fresh domain, by one of ``PROPOSED``.

    The caller is the device's own driver; of the group all members are known.
    """
    group = owners.group
    if group.is_noiommu is not False:
        return Answer(UNKNOWN, "no-iommu-mode", words.NO_IOMMU_BEHIND)
    if words.is_mediated(group):
        return Answer(UNKNOWN, "no-iommu-mode", words.MEDIATED)
    posted = era.proposal is Proposal.POSTED
    refused = _as_posted(device, owners) if posted else _as_sketched(owners)
    refused = refused or refused_attach(machine, group, era)
    if refused is not None:
        return refused
    because = "no driver here uses the DMA API, or the device is alone in its group"
    if not posted:
        because = "one driver here uses the DMA API"
    cite = PROPOSED_SINGLE_DRIVER if posted else SKETCHED_SINGLE_DRIVER
    return Answer(OK, _RULE, because, (cite,))


def _as_sketched(owners: GroupOwnership) -> Answer | None:
    """The owner is the DMA API, and counted once: one driver that uses it is bound."""
    cite = (SKETCHED_SINGLE_DRIVER,)
    if owners.group.held is not Held.FREE:
        return Answer("-EBUSY", _RULE, words.HELD[owners.group.held], cite)
    users, unknown = owners.having(Role.KERNEL), owners.having(Role.UNKNOWN)
    if len(users) > 1:
        return Answer("-EBUSY", _RULE, words.bound(users), cite)
    if unknown:
        return Answer(UNKNOWN, _RULE, words.cannot_tell(unknown), cite)
    if not users:
        because = "no driver here uses the DMA API, and one is asked for"
        return Answer("-EBUSY", _RULE, because, cite)
    return None


def _as_posted(device: Device, owners: GroupOwnership) -> Answer | None:
    """No owner, and no user of the DMA API but in a group of one.

    A driver gives that API up by a flag (no_kernel_api_dma then, driver_managed_dma
    today): with it its own device does not count.
    """
    group, cite = owners.group, (PROPOSED_SINGLE_DRIVER,)
    if group.held.by_user:
        return Answer("-EBUSY", _RULE, words.HELD[group.held], cite)
    if group.held is Held.BY_KERNEL_DOMAIN:
        because = f"{words.HELD[group.held]}, and it is not this one"
        return Answer("-EPERM", _RULE, because, cite)
    if len(group.devices) == 1:
        return None
    users = owners.having(Role.KERNEL)
    if users:
        own = " (its own driver counts, unless that gives up the DMA API)"
        because = words.bound(users) + (own if users == (device,) else "")
        return Answer("-EBUSY", _RULE, because, cite)
    if unknown := owners.having(Role.UNKNOWN):
        return Answer(UNKNOWN, _RULE, words.cannot_tell(unknown), cite)
    return None


def attach_shared(device: Device, owners: GroupOwnership | None, era: Era) -> Answer:
    """Answer iommu_attach_device_shared() with a fresh domain.

    Its caller has set the owner of the group to DMA_OWNER_PRIVATE_DOMAIN before; as
    things are nobody has.
    """
    cite = (PROPOSED_SHARED,)
    if era.proposal is not Proposal.SHARED:
        because = "only the posting of 2021-12-17 has this call"
        return Answer(NOT_APPLICABLE, _RULE, because, cite)
    if owners is None:
        return Answer("-ENODEV", "no-iommu", f"{device.address} has no IOMMU group")
    if owners.group.held.by_user:
        return Answer("-EBUSY", _RULE, words.HELD[owners.group.held], cite)
    because = "nobody has set the owner of the group to DMA_OWNER_PRIVATE_DOMAIN"
    return Answer("-EPERM", _RULE, because, cite)
