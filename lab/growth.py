"""Holds what was said of growth against the groups that newcomers really joined."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.grouping.growth import Growing
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.topology import Topology
from lab.compare import Comparison

__all__ = ["compare_growth"]

_NEW = "a group of its own"


def compare_growth(before: Machine, after: Machine) -> Iterator[Comparison]:
    """Compare, for each device that came, the group it joined with the one foretold.

    A group that grew, and could not by what was said, is a wrong answer; so is one
    that could through a port, and did not when a card was plugged in there.
    """
    known = {device.address for device in before.devices}
    came = [device for device in after.devices if device.address not in known]
    if not came:
        return
    above = Topology(after)
    foretold = _foretold(before)
    for device in came:
        parent = above.parent(device)
        way = device.pci.physfn or (parent.address if parent else None)
        if way not in known:
            continue
        joined = after.group_of(device)
        old = {d.address for d in joined.devices} & known if joined else set()
        groups = {
            group.id
            for group in before.groups
            for d in group.devices
            if d.address in old
        }
        expected = " ".join(sorted(groups)) if old else _NEW
        got, because = foretold.get(way or "", (_NEW, "no group grows through it"))
        yield Comparison("growth", f"through {way}", expected, got, because)


def _foretold(machine: Machine) -> dict[str, tuple[str, str]]:
    """Return, for each device that a group can grow through, the group, and how."""
    growing = Growing(Grouping(machine))
    found: dict[str, tuple[str, str]] = {}
    for group in machine.groups:
        answer = growing.growth(group)
        for way in answer.untold:
            found.setdefault(way.address, ("unknown", way.how))
        for way in answer.through:
            found[way.address] = (group.id, way.how)
    return found
