"""What becomes of a group that user space holds when the last VFIO device leaves it.

Since v6.1 vfio_device_remove_group() detaches the group's container, and with it goes
the claim, though the user has the group open still. Before, it waited until the user
let go (the wait for ``container_q`` in vfio_unregister_group_dev()). A device that is
open itself, as one that is bound to an iommufd, is waited for on every kernel.

Before v5.19 user space can have a group beside a driver of the host, whose DMA then
goes to the domain of the user. What becomes of such a driver when it lets go is its own
affair: 5.10 ended in snd_hda_intel (iommu_flush_iotlb_psi() without a domain), and nvme
waited for ever for a command that had not arrived.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

from iommu_inspect.kernel.answers import BLOCKS, UNKNOWN, Answer
from iommu_inspect.kernel.citations import VFIO_LEAVES_GROUP
from iommu_inspect.kernel.eras import Era, has_since
from iommu_inspect.kernel.ownership.roles import Role, role
from iommu_inspect.kernel.steps.state import with_group
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.group import Group, Held
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine

__all__ = ["leave_vfio"]

_DETACHES_SINCE = (6, 1)
# The oldest kernel that was asked; whether older ones wait was not read.
_WAITS_SINCE = (5, 10)


def leave_vfio(
    machine: Machine, leaving: Collection[DeviceId], era: Era
) -> tuple[Machine, Answer | None]:
    """Let devices go from vfio: end the claims that end with the last one.

    Returns the machine with these groups free, and an answer where the kernel waits or
    where it is not known what it does.
    """
    for group in machine.groups:
        open_nodes = sorted(group.nodes.intersection(leaving))
        if open_nodes:
            because = f"{open_nodes[0]} is open by iommufd: it leaves when it is closed"
            return machine, Answer(BLOCKS, "mixed-ownership", because)
        if group.held is not Held.BY_USER:
            continue
        if lost := _without_dma(group, leaving, era):
            driver = lost[0].driver
            name = driver if isinstance(driver, str) else f"what has {lost[0].address}"
            because = (
                f"user space holds group {group.id}, and with it the DMA of {name}: "
                "how that ends is not known"
            )
            return machine, Answer(UNKNOWN, "mixed-ownership", because)
        last = _is_left(group, leaving)
        if last is False:
            continue
        waits = _waits(machine, era)
        if last is None or waits is None:
            because = f"whether that ends the claim of group {group.id} is not known"
            return machine, Answer(UNKNOWN, "mixed-ownership", because)
        if waits:
            because = (
                f"user space holds group {group.id}: before v6.1 the last VFIO device "
                "leaves only when the user has let go"
            )
            cited = (VFIO_LEAVES_GROUP,)
            return machine, Answer(BLOCKS, "mixed-ownership", because, cited)
        machine = with_group(machine, group, replace(group, held=Held.FREE))
    return machine, None


def _without_dma(group: Group, leaving: Collection[DeviceId], era: Era) -> list[Device]:
    """Return what leaves with a driver of the host, whose DMA a user has."""
    if era.dma_owner:
        return []
    kept = (Role.KERNEL, Role.UNKNOWN)
    return [d for d in group.devices if d.id in leaving and role(d, era) in kept]


def _is_left(group: Group, leaving: Collection[DeviceId]) -> bool | None:
    """Say whether a group has no VFIO device any more once these have left."""
    of_vfio = {device.id: has_vfio_driver(device) for device in group.devices}
    left = [there for name, there in of_vfio.items() if name not in leaving]
    gone = [there for name, there in of_vfio.items() if name in leaving]
    if True in left or all(there is False for there in gone):
        return False
    return None if None in left or True not in gone else True


def _waits(machine: Machine, era: Era) -> bool | None:
    """Say whether the kernel waits for the user; ``None`` where that is not known."""
    release = value_or(machine.kernel.release, "")
    detaches = has_since(release, era, _DETACHES_SINCE)
    if detaches is not False:
        return None if detaches is None else False
    return True if has_since(release, era, _WAITS_SINCE) else None
