"""Predict the groups of captured machines and hold them against their kernels'.

``python -m tools.predicting`` reads every text of lspci in the collection beside the
checkout (``../shared/data``) that shows groups, forgets them, predicts them anew, and
prints a line a text. The exit status is 1 if a group that is predicted is not one of
the kernel's.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from iommu_inspect.kernel.grouping.making.prediction import foretell
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import natural_key
from iommu_inspect.sources.errors import SourceError
from tools.real_machines import SHARED, read


def kernels_groups(capture: Path) -> dict[str, str]:
    """Groups by address from a listing beside the capture, if there is just one."""
    listings = sorted(capture.parent.glob("groups*.tsv"))
    if capture.parent.parent.name != "machines" or len(listings) != 1:
        return {}
    rows = (line.split("\t") for line in listings[0].read_text().splitlines())
    return {row[1]: row[0] for row in rows if len(row) == 3}


def with_groups(machine: Machine, told: dict[str, str]) -> Machine:
    """Put devices into the groups that a listing tells, where the source does not."""
    if machine.groups_known or not told:
        return machine
    devices = [replace(d, group=told.get(d.address)) for d in machine.devices]
    ids = sorted(
        {d.group for d in devices if isinstance(d.group, str)}, key=natural_key
    )
    return replace(
        machine,
        groups=tuple(
            Group(one, tuple(d for d in devices if d.group == one)) for one in ids
        ),
        ungrouped=tuple(d for d in devices if d.group is None),
        groups_known=True,
    )


@dataclass(frozen=True)
class Outcome:
    """What came out of one text.

    ``by_root`` says whether registers of capabilities are shown (``-vv``), which only
    root sees;
    ``different`` has the first address of each group that the kernel did not make.
    """

    name: str
    by_root: bool
    groups: int
    equal: int
    different: tuple[str, ...]
    reasons: Counter[str]


def texts() -> list[Path]:
    """Every text of lspci in the collection's machines."""
    found = [
        *SHARED.glob("machines/*/lspci*.txt"),
        *SHARED.glob("machines/*/report.txt"),
    ]
    return sorted(found)


def without_groups(machine: Machine) -> Machine:
    """Forget the groups: the machine as the text without their lines shows it."""
    devices = [replace(d, group=Missing.ABSENT) for d in machine.devices]
    devices.sort(key=lambda device: device.id)
    return replace(machine, groups=(), ungrouped=tuple(devices), groups_known=False)


def outcome(name: str, machine: Machine, *, by_root: bool) -> Outcome:
    """Compare prediction and kernel for one machine with groups."""
    found = foretell(without_groups(machine))
    made = {
        frozenset(device.address for device in group.devices)
        for group in machine.groups
        if any(device.is_pci for device in group.devices)
    }
    told = [frozenset(d.address for d in g.devices) for g in found.machine.groups]
    reasons: Counter[str] = Counter()
    for each in found.undecided:
        for doubt in each.doubts[:1]:
            reasons[doubt.because.replace(doubt.device.address, "X")] += 1
    return Outcome(
        name,
        by_root,
        groups=len(made),
        equal=sum(group in made for group in told),
        different=tuple(min(group) for group in told if group not in made),
        reasons=reasons,
    )


def outcomes(read: Callable[[Path], Machine] = read) -> Iterator[Outcome]:
    """Read every text; one that shows no groups has nothing to compare."""
    for path in texts():
        try:
            machine = with_groups(read(path), kernels_groups(path))
        except SourceError:
            continue  # two machines in one text
        if machine.groups:
            by_root = "DevCap:" in path.read_text(errors="replace")
            yield outcome(str(path.relative_to(SHARED)), machine, by_root=by_root)


def main() -> int:
    """Print the table; return 1 if a group is predicted that no kernel made."""
    if not SHARED.is_dir():
        print(f"no captures: {SHARED} is not there")
        return 0
    total: Counter[str] = Counter()
    print("| text | by root | groups | equal | different | first reason |")
    print("|---|---|---:|---:|---:|---|")
    for found in outcomes():
        why = found.reasons.most_common(1)
        print(
            f"| {found.name} | {'yes' if found.by_root else ''} | {found.groups} "
            f"| {found.equal} | {len(found.different)} | {why[0][0] if why else ''} |"
        )
        for address in found.different:
            print(f"  different: {address}")
        if found.by_root:
            total.update(groups=found.groups, equal=found.equal)
        total.update(different=len(found.different))
    print(f"By root: {total['equal']} of {total['groups']} groups equal.")
    return 1 if total["different"] else 0


if __name__ == "__main__":
    sys.exit(main())
