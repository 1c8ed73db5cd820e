"""What the kernel tells of devices while they come, go and change hands."""

from __future__ import annotations

import enum

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId

__all__ = ["Action", "Burst", "Event"]


class Action(enum.Enum):
    """What happened to a device.

    They are the kernel's words (kobject_actions[] in lib/kobject_uevent.c); it tells
    of drivers since v4.14, commit 1455cf8dbfd0 ("driver core: emit uevents when device
    is bound to a driver").
    """

    ADD = "add"
    REMOVE = "remove"
    BIND = "bind"
    UNBIND = "unbind"


@dataclass(frozen=True, slots=True)
class Event:
    """One event about one device.

    ``path`` is that of its directory, without a leading slash. ``driver`` is what the
    event itself names: of a device that is let go it is ``None``. ``at`` is when it was
    heard, in seconds since 1970.
    """

    action: Action
    device: DeviceId
    path: str
    driver: str | None
    at: float


@dataclass(frozen=True, slots=True)
class Burst:
    """Events that came soon after one another, in the order of the kernel.

    ``moved`` says that something else did that ownership or a finding may hang on.
    What is ``lost`` nobody can tell any more: the kernel had more events than there was
    room for. ``slept`` says that the host was suspended meanwhile.
    """

    events: tuple[Event, ...] = ()
    moved: bool = False
    lost: bool = False
    slept: bool = False

    @property
    def by_events(self) -> bool:
        """Say whether the events tell of all that moved."""
        return not (self.moved or self.lost or self.slept)
