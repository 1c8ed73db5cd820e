"""What several answers about a group say alike."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group, Held

__all__ = [
    "HELD",
    "MEDIATED",
    "NOT_WHOLE",
    "NO_IOMMU_BEHIND",
    "NO_VFIO_GROUP",
    "SPAPR",
    "UNTOLD_VFIO_GROUP",
    "bound",
    "cannot_tell",
    "is_mediated",
    "names",
]

_MOST = 64
HELD = {
    Held.BY_USER: "user space holds the group",
    Held.BY_IOMMUFD: "user space has a device of the group by iommufd",
    Held.BY_KERNEL_DOMAIN: "a driver of the host attached a domain of its own",
}
MEDIATED = "a mediated device's group is one that vfio makes up"
NOT_WHOLE = "the source does not show all members of the group"
NO_VFIO_GROUP = (
    "this kernel has no VFIO groups (CONFIG_VFIO_GROUP), only nodes of devices in "
    "/dev/vfio/devices"
)
UNTOLD_VFIO_GROUP = (
    "the source does not tell whether this kernel has VFIO groups (CONFIG_VFIO_GROUP): "
    "it lacks sys/class/vfio"
)
SPAPR = (
    "on POWER a container is of a type of its own (VFIO_SPAPR_TCE_v2_IOMMU), and which "
    "answer that gets is not known here"
)
NO_IOMMU_BEHIND = "there may be no IOMMU behind this group"


def is_mediated(group: Group) -> bool:
    """Say whether all members are mediated devices."""
    return bool(group.devices) and all(d.bus == "mdev" for d in group.devices)


def _more(devices: Sequence[Device]) -> list[str]:
    more = len(devices) - _MOST
    return [f"{more} more"] if more > 0 else []


def bound(devices: Sequence[Device]) -> str:
    """Say which drivers are bound to which devices.

    Of thousands the first are named: each member would else name all the others.
    """
    words = [f"{d.address} is bound to {d.driver}" for d in devices[:_MOST]]
    return ", ".join([*words, *_more(devices)])


def names(devices: Sequence[Device]) -> str:
    """Name devices, the first of thousands."""
    words = [device.address for device in devices[:_MOST]]
    return ", ".join([*words, *_more(devices)])


def cannot_tell(devices: Sequence[Device]) -> str:
    """Say that these devices' drivers could be of either kind."""
    about = names(devices)
    return f"the source does not tell what kind of driver is bound to {about}"
