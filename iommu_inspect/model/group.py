"""One IOMMU group: its members, and what the kernel says of it."""

from __future__ import annotations

import enum

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.identity import DeviceId

__all__ = ["Group", "Held", "NodeAccess", "ReservedRegion"]


class Held(enum.Enum):
    """Who holds a group at this moment.

    A source never shows it: a group that was read is ``FREE`` as far as anybody
    knows. Hypothetical steps hold groups. User space has one by its own node and a
    container, or devices of it by theirs and iommufd.
    """

    FREE = "free"
    BY_USER = "user"
    BY_IOMMUFD = "iommufd"
    BY_KERNEL_DOMAIN = "kernel-domain"

    @property
    def by_user(self) -> bool:
        """Say whether user space holds it, by whatever way."""
        return self in (Held.BY_USER, Held.BY_IOMMUFD)


@dataclass(frozen=True, slots=True)
class ReservedRegion:
    """One line of ``reserved_regions``: bytes ``start`` to ``end``, inclusive."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class NodeAccess:
    """Who may open a device node: permission bits, and owners by number."""

    mode: int
    user: int
    group: int


@dataclass(frozen=True, slots=True)
class Group:
    """One IOMMU group. ``id`` is a name made of digits; ids have gaps.

    ``type`` is that of the *default* domain, not of the current one: it says
    nothing about who owns the group now. ``whole`` is false where the source does not
    show all members, or contradicts itself about them. ``node`` is ``/dev/vfio/ID``,
    which is looked at and never opened. ``nodes`` are the devices whose own nodes are
    bound, where it is held ``BY_IOMMUFD``.
    """

    id: str
    devices: tuple[Device, ...]
    type: Fact[str] = Missing.ABSENT
    name: Fact[str] = Missing.ABSENT
    reserved_regions: Fact[tuple[ReservedRegion, ...]] = Missing.ABSENT
    held: Held = Held.FREE
    nodes: frozenset[DeviceId] = frozenset()
    whole: bool = True
    node: Fact[NodeAccess] = Missing.ABSENT
    predicted: bool = False

    @property
    def is_noiommu(self) -> Fact[bool]:
        """Say whether vfio made this group up in its no-IOMMU mode.

        It names such a group (``vfio_noiommu_group_alloc()``); other groups seldom
        have a name at all. Mediated devices use the same allocation, so a group
        whose members are all on the mdev bus is not one.
        """
        if not known(self.name):
            return False if self.name is Missing.ABSENT else self.name
        if self.name != "vfio-noiommu":
            return False
        others = [device for device in self.devices if device.bus != "mdev"]
        if others and not any(known(device.bus) for device in others):
            return Missing.ABSENT
        return bool(others) if self.devices else Missing.ABSENT
