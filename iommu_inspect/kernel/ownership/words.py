"""What several answers about a group say alike."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group, Held

__all__ = [
    "HELD",
    "MEDIATED",
    "NOT_WHOLE",
    "NO_IOMMU_BEHIND",
    "bound",
    "cannot_tell",
    "is_mediated",
]

HELD = {
    Held.BY_USER: "user space holds the group",
    Held.BY_KERNEL_DOMAIN: "a driver of the host attached a domain of its own",
}
MEDIATED = "a mediated device's group is one that vfio makes up"
NOT_WHOLE = "the source does not show all members of the group"
NO_IOMMU_BEHIND = "there may be no IOMMU behind this group"


def is_mediated(group: Group) -> bool:
    """Say whether all members are mediated devices."""
    return bool(group.devices) and all(d.bus == "mdev" for d in group.devices)


def bound(devices: Iterable[Device]) -> str:
    """Say which drivers are bound to which devices."""
    return ", ".join(f"{d.address} is bound to {d.driver}" for d in devices)


def cannot_tell(devices: Iterable[Device]) -> str:
    """Say that these devices' drivers could be of either kind."""
    names = ", ".join(device.address for device in devices)
    return f"the source does not tell what kind of driver is bound to {names}"
