"""What hypothetical steps leave behind that no file of a host shows."""

from __future__ import annotations

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId

__all__ = ["Aftermath", "Gone"]


@dataclass(frozen=True, slots=True, eq=False)
class Gone:
    """Devices that vanished in a step, and the driver of their parent.

    Where that driver binds to ``parent`` again they come back, each into the group of
    the id that it names; ``groups`` are those that held them.
    """

    parent: DeviceId
    driver: str
    devices: tuple[Device, ...]
    groups: tuple[Group, ...]


@dataclass(frozen=True, slots=True)
class Aftermath:
    """What is to be remembered of steps beside the state that a source could show.

    ``gone`` are devices that may come back. ``given_ids`` are drivers (with "_") and
    the ids that they were told of, ``10de:2504``. ``removed_modules`` are those that
    steps removed; of others nobody waits to be told that they have to be loaded. A
    machine that was read has none of it.
    """

    gone: tuple[Gone, ...] = ()
    given_ids: frozenset[tuple[str, str]] = frozenset()
    removed_modules: frozenset[str] = frozenset()
