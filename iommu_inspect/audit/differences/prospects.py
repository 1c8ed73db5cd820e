"""What could be handed over before and cannot now, or the other way round.

An answer that differs because one source shows less is no change: it is told only
where both show what it hangs on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from iommu_inspect.audit.differences.regrouping import Placed
from iommu_inspect.audit.summary import Possible, Prospect
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine

__all__ = ["ProspectChange", "prospect_changes", "unlike_sights"]

_RANKS = (Possible.NOW, Possible.AFTER, Possible.UNKNOWN, Possible.NEVER)
_SHOWN: tuple[tuple[str, Callable[[Machine], object]], ...] = (
    ("the kernel's release", lambda m: known(m.kernel.release)),
    ("the kernel's command line", lambda m: known(m.kernel.command_line)),
    ("the IOMMU units", lambda m: known(m.iommus)),
    ("interrupt remapping", lambda m: known(m.interrupt_remapping)),
    ("the modules", lambda m: known(m.vfio.type1_loaded)),
    ("modprobe.d", lambda m: known(m.settings.modprobe)),
    ("what the host lives on", lambda m: frozenset(kind for kind, _ in m.host.untold)),
)


@dataclass(frozen=True, slots=True, eq=False)
class ProspectChange:
    """Devices, and when they can be handed over, before and now."""

    before: Prospect
    after: Prospect
    members: tuple[Placed, ...]

    @property
    def worse(self) -> bool:
        """Say whether it is further away than it was."""
        return _RANKS.index(self.after.possible) > _RANKS.index(self.before.possible)


def unlike_sights(before: Machine, after: Machine) -> tuple[str, ...]:
    """Name what an answer hangs on and one source alone shows."""
    return tuple(name for name, shown in _SHOWN if shown(before) != shown(after))


def prospect_changes(
    placed: Iterable[Placed],
    before: Iterable[Prospect],
    after: Iterable[Prospect],
    *,
    alike: bool,
) -> tuple[tuple[ProspectChange, ...], tuple[Device, ...]]:
    """Return the changes, and the devices whose answers cannot be compared.

    ``alike`` says whether both sources show the same of the host as a whole.
    """
    old, new = _by_device(before), _by_device(after)
    changed: dict[tuple[int, int], list[Placed]] = {}
    untold: list[Device] = []
    for each in placed:
        mine, theirs = old.get(each.pair.before.id), new.get(each.pair.after.id)
        if mine is None or theirs is None or mine.possible is theirs.possible:
            continue
        if Possible.UNKNOWN in (mine.possible, theirs.possible) or not (
            alike and _shown_alike(each)
        ):
            untold.append(each.pair.after)
        else:
            changed.setdefault((id(mine), id(theirs)), []).append(each)
    found = tuple(
        ProspectChange(
            old[members[0].pair.before.id],
            new[members[0].pair.after.id],
            tuple(members),
        )
        for members in changed.values()
    )
    return found, tuple(untold)


def _by_device(prospects: Iterable[Prospect]) -> Mapping[DeviceId, Prospect]:
    return {device.id: each for each in prospects for device in each.devices}


def _shown_alike(placed: Placed) -> bool:
    """Say whether both sources show the same facts of a device and of its group."""
    return _sight(placed.pair.before, placed.before) == _sight(
        placed.pair.after, placed.after
    )


def _sight(device: Device, group: Group | None) -> tuple[bool, ...]:
    facts: list[object] = [
        device.driver,
        device.ids.vendor,
        device.ids.class_code,
        device.pci.header_type,
        device.pci.physfn,
        device.driver_override,
    ]
    members = group.devices if group is not None else ()
    return (
        *(known(fact) for fact in facts),
        group is None or known(group.reserved_regions),
        all(known(member.driver) for member in members),
        all(known(member.ids.class_code) for member in members),
    )
