"""What a source does not show of a host that could hide something wrong."""

from __future__ import annotations

import enum

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Purpose

__all__ = ["Fact", "Unseen", "unseen"]


class Fact(enum.Enum):
    """A fact without which a whole host cannot be judged.

    ``KIND``: the driver is known, and whether it is one of vfio's is not.
    ``LISTING``: which devices there are; it is of no device.
    """

    DRIVER = "driver"
    KIND = "kind"
    GROUP = "group"
    LISTING = "listing"


@dataclass(frozen=True, slots=True)
class Unseen:
    """A fact, and the devices of which the source does not show it."""

    fact: Fact
    devices: tuple[Device, ...]


def unseen(case: Case) -> tuple[Unseen, ...]:
    """Say of which devices of a host it cannot be told whether vfio has them.

    Where none is on vfio, or may be, groups that are not told hide nothing. Bridges
    are handed to nobody.
    """
    if case.targets:
        return ()
    listing = [Unseen(Fact.LISTING, ())] if _is_unlisted(case) else []
    if case.purpose is Purpose.ATTACH:
        return tuple(listing)
    endpoints = [d for d in case.machine.devices if d.is_bridge is not True]
    untold = tuple(d for d in endpoints if has_vfio_driver(d) is None)
    apart = tuple(d for d in endpoints if not known(d.group))
    used = any(has_vfio_driver(d) is not False for d in endpoints)
    found = (
        Unseen(Fact.DRIVER, tuple(d for d in untold if not known(d.driver))),
        Unseen(Fact.KIND, tuple(d for d in untold if known(d.driver))),
        Unseen(Fact.GROUP, apart if used else ()),
    )
    return (*listing, *(each for each in found if each.devices))


def _is_unlisted(case: Case) -> bool:
    """Say whether there may be PCI functions that the source could not list.

    Of other buses only what is in a group matters, and the groups list that.
    """
    return any(bus == "pci" for bus, _ in case.machine.unlisted)
