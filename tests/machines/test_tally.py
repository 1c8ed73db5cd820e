"""What is counted is so, and is not only not known to be otherwise."""

from __future__ import annotations

from pathlib import Path

from examples import each
from machines.audited import SOURCES, both, of_targets, tally
from shared import SYSFS

from iommu_inspect.audit.summary import Possible
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.rules.finding import Certainty, Severity

HALF = SYSFS / "half-a-group"


def test_ready_are_devices_on_vfio_whose_group_can_go_now() -> None:
    """Group 13 and 14 can; 15 is in conflict, and of 16 nothing is on vfio."""
    found = tally(HALF).ready
    assert found is not None
    counted = {name: count for name, count in found.items() if count}
    assert counted == {"gpu": 2, "audio": 1}


def test_owners_and_what_is_possible_are_those_of_the_groups() -> None:
    found = tally(HALF)
    assert found.ownership is not None
    assert found.possible is not None
    owners = {owner: count for owner, count in found.ownership.items() if count}
    assert owners == {Ownership.USER: 2, Ownership.CONFLICT: 1, Ownership.NONE: 1}
    assert found.possible[Possible.NOW] == 2
    assert sum(found.possible.values()) == len(found.result.summary)


def test_of_targets_no_host_is_counted() -> None:
    found = of_targets(HALF)
    assert found.possible is None
    assert found.ready is None
    assert found.ownership is not None


@each("source", SOURCES)
def test_each_group_with_errors_is_there_once_by_its_worst(source: Path) -> None:
    for found in both(source):
        errors = [f for f in found.result.findings if f.severity is Severity.ERROR]
        about = {
            f.group if f.group is not None else f.devices[0].name
            for f in errors
            if f.group is not None or f.devices
        }
        keys = [t.group if t.group is not None else t.device for t in found.troubles]
        assert len(set(keys)) == len(keys)
        assert set(keys) == about
        for each_one in found.troubles:
            same = [f for f in errors if f.group == each_one.group and f.group]
            if any(f.certainty is not Certainty.UNKNOWN for f in same):
                assert each_one.worst.certainty is not Certainty.UNKNOWN
