"""Sets of devices of which one must stay: how what is built of parts depends on them.

Needs are a tuple of sets, each a sorted tuple of device paths; of each set one must
stay. No sets: nothing can be lost.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import combinations, islice, product
from typing import TypeAlias

from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.model.pci.address import PciAddress

__all__ = [
    "MOST_NEEDED",
    "Bound",
    "Locate",
    "Needs",
    "all_of",
    "any_of",
    "locator",
    "spared",
]

Needs: TypeAlias = tuple[tuple[str, ...], ...]
Locate: TypeAlias = Callable[[str], Fact[str] | None]

MOST_NEEDED = 1 << 13
"""Devices that all block devices, or all interfaces, of a host are said to stand on."""
# A stack of arrays on arrays multiplies; beyond this every part counts as needed.
_MOST_SETS = 256


class Bound:
    """Keeps what all that is asked for stands on within a bound; the rest is not told.

    Volumes on an array of many disks, or VLANs on a bridge of many ports, would else
    name each disk or port once for each.
    """

    def __init__(self, most: int = MOST_NEEDED) -> None:
        self._left = most

    def within(self, needs: Fact[Needs]) -> Fact[Needs]:
        """Return the needs, or that they are cut off once there were too many."""
        if not known(needs) or not needs:
            return needs
        self._left -= sum(map(len, needs))
        return needs if self._left >= 0 else Missing.TRUNCATED


def locator(paths: Iterable[str]) -> Locate:
    """Return a function from a path of sysfs to the device that it is below.

    It answers ``None`` for what is below none of the devices, and missing where a PCI
    function is on the way that is not among them.
    """
    places = frozenset(paths)

    def locate(path: str) -> Fact[str] | None:
        here = path
        while here:
            if here in places:
                return here
            here, _, name = here.rpartition("/")
            if PciAddress.parse(name) is not None:
                return Missing.ABSENT
        return None

    return locate


def all_of(parts: Iterable[Fact[Needs]]) -> Fact[Needs]:
    """Join parts that are all needed; one that is not known spoils it."""
    found: set[tuple[str, ...]] = set()
    for part in parts:
        if not known(part):
            return part
        found |= set(part)
    return _least(found)


def any_of(parts: Iterable[Fact[Needs]]) -> Fact[Needs]:
    """Join parts of which one is enough."""
    given = list(parts)
    return spared(given, len(given) - 1)


def spared(parts: Sequence[Fact[Needs]], spare: int) -> Fact[Needs]:
    """Join parts of which ``spare`` may be lost, and no more."""
    if spare <= 0 or not parts:
        return all_of(parts)
    told = []
    for part in parts:
        if not known(part):
            return part
        told.append(part)
    chosen = combinations(told, min(spare + 1, len(told)))
    every = (sets for some in chosen for sets in product(*some))
    joined = list(islice(every, _MOST_SETS + 1))
    if len(joined) > _MOST_SETS:
        return all_of(parts)
    return _least(
        {tuple(sorted({path for some in sets for path in some})) for sets in joined}
    )


def _least(found: set[tuple[str, ...]]) -> Needs:
    """Leave out a set that another one, which is part of it, implies."""
    sizes = {len(some) for some in found}
    # Of one size none is a part of another.
    if len(found) > _MOST_SETS or len(sizes) == 1:
        return tuple(sorted(found))
    sets = {some: frozenset(some) for some in found}
    return tuple(
        sorted(
            some
            for some, inside in sets.items()
            if not any(other < inside for other in sets.values())
        )
    )
