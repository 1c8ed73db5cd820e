"""Which groups became others: merged, split, larger, smaller. Their ids do not matter.

Groups of the two sources belong together if a device is in both. Where one leads to
one and the members are the same, nothing changed, whatever the numbers.
"""

from __future__ import annotations

import enum
from collections import Counter, defaultdict
from collections.abc import Iterable

from iommu_inspect.audit.differences.matching import Pair
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import natural_key

__all__ = ["Kind", "Placed", "Regrouped", "group_of", "regrouped"]


class Kind(enum.Enum):
    """What became of groups, the worst first.

    ``MOVED``: each group is still there, and some members are in another one.
    ``REGROUPED``: it is not to be told which group became which. ``GROWN`` by new
    devices, ``SHRUNK`` by those that are gone, ``EXCHANGED`` by both.
    """

    MERGED = "merged"
    REGROUPED = "regrouped"
    MOVED = "moved"
    GROWN = "grown"
    EXCHANGED = "exchanged"
    SPLIT = "split"
    SHRUNK = "shrunk"


@dataclass(frozen=True, slots=True, eq=False)
class Placed:
    """A device that both sources show, and its group in each; ``None`` for none."""

    pair: Pair
    before: Group | None
    after: Group | None


@dataclass(frozen=True, slots=True, eq=False)
class Regrouped:
    """Groups that hold the same devices, otherwise than before.

    ``members`` are the devices that both sources show in them, ``moved`` those that are
    not where the others of their group are, ``joined`` and ``left`` those of only one
    source.
    """

    kind: Kind
    before: tuple[Group, ...]
    after: tuple[Group, ...]
    members: tuple[Placed, ...]
    moved: tuple[Placed, ...] = ()
    joined: tuple[Device, ...] = ()
    left: tuple[Device, ...] = ()


def group_of(machine: Machine, device: Device) -> Fact[Group | None]:
    """Return a device's group, ``None`` if it has none, missing where not shown."""
    if (group := machine.group_of(device)) is not None:
        return group
    if not machine.groups_known:
        return Missing.ABSENT
    return None if device.group is None else Missing.ABSENT


def regrouped(
    placed: Iterable[Placed], added: Iterable[Device], removed: Iterable[Device]
) -> tuple[Regrouped, ...]:
    """Return the groups that changed, the worst first.

    ``added`` and ``removed`` are the devices that only one source has.
    """
    new, gone = ({d.id for d in devices} for devices in (added, removed))
    found = []
    for members in _together([p for p in placed if p.before and p.after]):
        before = _groups(p.before for p in members)
        after = _groups(p.after for p in members)
        joined = tuple(d for g in after for d in g.devices if d.id in new)
        left = tuple(d for g in before for d in g.devices if d.id in gone)
        moved: tuple[Placed, ...] = ()
        match len(before), len(after):
            case 1, 1:
                if not joined and not left:
                    continue
                kind = Kind.EXCHANGED if joined and left else Kind.SHRUNK
                kind = Kind.GROWN if joined and not left else kind
            case _, 1:
                kind = Kind.MERGED
            case 1, _:
                kind = Kind.SPLIT
            case _:
                kind, moved = _moved(members, len(before), len(after))
        found.append(Regrouped(kind, before, after, members, moved, joined, left))
    rank = list(Kind)
    return tuple(sorted(found, key=lambda r: (rank.index(r.kind), _key(r.after[0]))))


def _together(placed: list[Placed]) -> list[tuple[Placed, ...]]:
    """Part the devices so that those of one group, before or after, are together."""
    of_group: dict[tuple[bool, str], list[int]] = defaultdict(list)
    names = []
    for number, each in enumerate(placed):
        mine = [(is_after, group.id) for is_after, group in _ends(each)]
        names.append(mine)
        for name in mine:
            of_group[name].append(number)
    seen: set[int] = set()
    found = []
    for number in range(len(placed)):
        if number in seen:
            continue
        seen.add(number)
        part, ahead = [], [number]
        while ahead:
            here = ahead.pop()
            part.append(here)
            for name in names[here]:
                for other in of_group.pop(name, ()):
                    if other not in seen:
                        seen.add(other)
                        ahead.append(other)
        found.append(tuple(placed[n] for n in sorted(part)))
    return found


def _ends(placed: Placed) -> Iterable[tuple[bool, Group]]:
    for is_after, group in ((False, placed.before), (True, placed.after)):
        if group is not None:
            yield is_after, group


def _moved(
    members: tuple[Placed, ...], before: int, after: int
) -> tuple[Kind, tuple[Placed, ...]]:
    """Say which members left their group, if each group has one that continues it.

    One continues another if each is more like the other than like any third: of the
    devices that are in either, a larger part is in both.
    """
    shared: Counter[tuple[str, str]] = Counter(map(_edge, members))
    sizes: list[Counter[str]] = [Counter(), Counter()]
    for edge, count in shared.items():
        for end in (0, 1):
            sizes[end][edge[end]] += count
    best: list[dict[str, str | None]] = [{}, {}]
    most: list[dict[str, float]] = [{}, {}]
    for edge, count in shared.items():
        like = count / (sizes[0][edge[0]] + sizes[1][edge[1]] - count)
        for end in (0, 1):
            name = edge[end]
            if like > most[end].get(name, 0):
                most[end][name], best[end][name] = like, edge[1 - end]
            elif like == most[end][name]:
                best[end][name] = None
    continued = {e for e in shared if best[0][e[0]] == e[1] and best[1][e[1]] == e[0]}
    if len(continued) < max(before, after):
        return Kind.REGROUPED, ()
    return Kind.MOVED, tuple(p for p in members if _edge(p) not in continued)


def _edge(placed: Placed) -> tuple[str, str]:
    return (
        placed.before.id if placed.before else "",
        placed.after.id if placed.after else "",
    )


def _groups(groups: Iterable[Group | None]) -> tuple[Group, ...]:
    found = {group.id: group for group in groups if group is not None}
    return tuple(sorted(found.values(), key=_key))


def _key(group: Group) -> tuple[tuple[int, str], ...]:
    return natural_key(group.id)
