"""Who has what: drivers, and owners of groups, that are others than they were."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from iommu_inspect.audit.differences.matching import Pair
from iommu_inspect.audit.differences.regrouping import Placed
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group

__all__ = ["DriverChange", "OwnerChange", "driver_changes", "owner_changes"]

_TELLING = (Ownership.CONFLICT, Ownership.USER)


@dataclass(frozen=True, slots=True, eq=False)
class DriverChange:
    """A device on another driver than before; ``None`` is no driver."""

    pair: Pair
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True, eq=False)
class OwnerChange:
    """Devices that were in one group and are in one, whose owner is another now."""

    before: Ownership
    after: Ownership
    groups: tuple[Group, Group]
    members: tuple[Placed, ...]


def driver_changes(pairs: Iterable[Pair]) -> Iterator[DriverChange]:
    """Yield the devices on another driver, where both sources show which."""
    for pair in pairs:
        old, new = pair.before.driver, pair.after.driver
        if not known(old) or not known(new):
            continue
        if (old and normalised(old)) != (new and normalised(new)):
            yield DriverChange(pair, old, new)


def owner_changes(
    placed: Iterable[Placed], old: Inquiry, new: Inquiry, altered: set[str]
) -> Iterator[OwnerChange]:
    """Yield the devices whose group has another owner, where both can be told.

    Of groups that merged or split, whose ids after are in ``altered``, only what has to
    do with user space is told: that others are in them is told already.
    """
    owners: list[dict[str, Ownership]] = [{}, {}]
    together: dict[tuple[str, str], list[Placed]] = {}
    for each in placed:
        if each.before is not None and each.after is not None:
            together.setdefault((each.before.id, each.after.id), []).append(each)
    for edge, members in together.items():
        groups = (members[0].before, members[0].after)
        if groups[0] is None or groups[1] is None:
            continue
        for inquiry, group, known_owners in zip(
            (old, new), groups, owners, strict=True
        ):
            if group is not None and group.id not in known_owners:
                known_owners[group.id] = inquiry.ownership(group)
        before, after = owners[0][edge[0]], owners[1][edge[1]]
        if before is after or Ownership.UNKNOWN in (before, after):
            continue
        if edge[1] in altered and before not in _TELLING and after not in _TELLING:
            continue
        yield OwnerChange(before, after, (groups[0], groups[1]), tuple(members))
