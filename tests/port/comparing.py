"""Hold the program's groups of a random machine against those of the port."""

from __future__ import annotations

import random
from dataclasses import dataclass

from port.machines import build, seen_by_the_program
from port.source import groups_of

from iommu_inspect.kernel.grouping.making.recompute import recompute

__all__ = ["Compared", "compare"]


@dataclass(frozen=True, slots=True)
class Compared:
    """How many functions there were, of how many the program told, and what differs."""

    functions: int
    told: int
    groups: int
    differences: tuple[str, ...]


def compare(seed: int) -> Compared:
    """Make a machine of a seed and group it twice.

    A function differs if it shares its group with others than the port says, as far as
    the program tells.
    """
    built = build(random.Random(seed))
    groups = groups_of(built.devs)
    found = recompute(seen_by_the_program(built))
    names = {id(dev): built.path(dev).rpartition("/")[2] for dev in built.devs}
    mine: dict[int, set[str]] = {}
    for name, label in found.labels.items():
        if label is not None:
            mine.setdefault(label, set()).add(name)
    told = set().union(*mine.values())
    differences = []
    for group in groups:
        theirs = {names[id(dev)] for dev in group} & told
        for name in sorted(theirs):
            own = mine[found.labels[name] or 0]
            if own != theirs:
                differences.append(
                    f"seed {seed}: {name}: {sorted(own)}, not {sorted(theirs)}"
                )
                break
    return Compared(len(built.devs), len(told), len(groups), tuple(differences))
