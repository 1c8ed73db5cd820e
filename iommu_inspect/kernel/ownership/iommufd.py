"""What iommufd's users are answered: a device's own node, bound and attached.

A device on a vfio driver has a node of its own since v6.6, where the kernel is built
with CONFIG_VFIO_DEVICE_CDEV. Opening it asks for nothing; binding it to an iommufd
claims DMA ownership of the group for that iommufd, and attaching it needs the binding.
"""

from __future__ import annotations

from collections.abc import Callable

from iommu_inspect.kernel.answers import NOT_APPLICABLE, OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import (
    ATTACH_IOMMUFD_PT,
    BIND_IOMMUFD,
    DEVICE_CLAIM,
    Citation,
)
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership import words
from iommu_inspect.kernel.ownership.interrupts import refused_interrupts
from iommu_inspect.kernel.ownership.mappings import refused_attach
from iommu_inspect.kernel.ownership.operations import claim_refused
from iommu_inspect.kernel.ownership.roles import GroupOwnership
from iommu_inspect.kernel.ownership.tokens import NODES_ASK, refused_without_token
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Held
from iommu_inspect.model.machine import Machine

__all__ = ["ASK", "ATTACH_PT", "BIND", "refused_binding", "without_group"]

BIND = "VFIO_DEVICE_BIND_IOMMUFD"
ATTACH_PT = "VFIO_DEVICE_ATTACH_IOMMUFD_PT"
_SINCE = (6, 6)
_NODE = "iommufd-node"


def _bind(machine: Machine, device: Device, owners: GroupOwnership, era: Era) -> Answer:
    """Answer VFIO_DEVICE_BIND_IOMMUFD to the first who opens the device's node.

    vfio_df_ioctl_bind_iommufd() in drivers/vfio/device_cdev.c, then
    iommufd_device_bind() in drivers/iommu/iommufd/device.c: interrupts come before the
    claim. That the device itself can be opened (that it comes out of its reset) is
    supposed.
    """
    group = owners.group
    if era.since < _SINCE:
        return _none_yet(BIND, BIND_IOMMUFD)
    unopened = _cannot_open(machine, device)
    if unopened is not None:
        return unopened
    # 6.12.117 asks for none.
    locked = refused_without_token(machine, device, era, NODES_ASK)
    if locked is not None:
        return locked
    if device.id in group.nodes:
        # vfio_df_open(): only by the group is a device opened twice.
        because = "its node is bound already, and is bound once"
        return Answer("-EINVAL", _NODE, because, (BIND_IOMMUFD,))
    if group.is_noiommu is True:
        # iommufd_bind_noiommu(): only a kernel with CONFIG_IOMMUFD_NOIOMMU has a node.
        return Answer(OK, "no-iommu-mode", "a no-IOMMU device is not claimed")
    if not known(group.is_noiommu) or words.is_mediated(group):
        return Answer(UNKNOWN, "no-iommu-mode", words.NO_IOMMU_BEHIND)
    if group.held is Held.BY_USER:
        return Answer("-EBUSY", _NODE, words.HELD[group.held], (BIND_IOMMUFD,))
    return refused_binding(machine, owners, era) or Answer(
        OK, "mixed-ownership", "the claim succeeds", (DEVICE_CLAIM,)
    )


def refused_binding(
    machine: Machine, owners: GroupOwnership, era: Era
) -> Answer | None:
    """Return why iommufd_device_bind() fails for a device of a group, ``None`` if not.

    It is a fresh iommufd, and the device has an IOMMU. Interrupts come before the
    claim.
    """
    allowed = machine.vfio.iommufd_allow_unsafe_interrupts
    refused = refused_interrupts(machine, owners.group, era, allowed)
    return refused or claim_refused(machine, owners, era)


def _attach_pt(
    machine: Machine, device: Device, owners: GroupOwnership, era: Era
) -> Answer:
    """Answer VFIO_DEVICE_ATTACH_IOMMUFD_PT with a fresh address space, once bound.

    vfio_device_fops_unl_ioctl() refuses all but the binding before that succeeded.
    """
    if era.since < _SINCE:
        return _none_yet(ATTACH_PT, ATTACH_IOMMUFD_PT)
    bound = _bind(machine, device, owners, era)
    if bound.result == UNKNOWN or _cannot_open(machine, device) is not None:
        return bound
    if bound.result != OK:
        because = f"the node is not bound: BIND_IOMMUFD returned {bound.result}"
        return Answer("-EINVAL", bound.rule, because, bound.references)
    return refused_attach(machine, owners.group, era) or Answer(
        OK, "mixed-ownership", "the device is bound", (ATTACH_IOMMUFD_PT,)
    )


def without_group(device: Device) -> Answer:
    """Answer for a device without a group: bound and attached in no-IOMMU mode.

    Where vfio has no groups (v7.3 without CONFIG_VFIO_GROUP) it makes none for such a
    device either; the name of its node tells the mode.
    """
    names = device.vfio_devices
    if known(names) and names and all(n.startswith("noiommu-") for n in names):
        return Answer(OK, "no-iommu-mode", "a no-IOMMU device is not claimed")
    because = f"{device.address} has no IOMMU group, or none is told"
    return Answer(UNKNOWN, "no-iommu", because)


def _none_yet(call: str, since: Citation) -> Answer:
    return Answer(NOT_APPLICABLE, _NODE, f"{call} came with v6.6", (since,))


def _cannot_open(machine: Machine, device: Device) -> Answer | None:
    """Return why there is no node to open, ``None`` where there is one."""
    on_vfio = has_vfio_driver(device)
    if on_vfio is None:
        return Answer(UNKNOWN, "not-on-vfio", words.cannot_tell((device,)))
    if not on_vfio:
        because = f"{device.address} is on no vfio driver, so it has no node"
        return Answer("-ENOENT", "not-on-vfio", because)
    own = device.vfio_cdev
    has_node = own if known(own) else machine.vfio_nodes
    if has_node is True:
        return None
    if has_node is False:
        because = f"{device.address} has no node: CONFIG_VFIO_DEVICE_CDEV is off"
        return Answer("-ENOENT", _NODE, because)
    because = "the source does not tell whether the device has a node"
    return Answer(UNKNOWN, _NODE, because)


ASK: dict[str, Callable[[Machine, Device, GroupOwnership, Era], Answer]] = {
    BIND: _bind,
    ATTACH_PT: _attach_pt,
}
"""What answers each operation, of a device, its group's members' roles and an era."""
