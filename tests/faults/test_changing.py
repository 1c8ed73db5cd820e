"""A host that changes while it is read is read as one of the two, or as unknown."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from examples import each
from faults.asking import answers
from faults.changing import ChangingTree, neither, removed, unbound
from faults.failing import Recorded
from shared import SYSFS

from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path


def state(path: Path) -> Recorded:
    return Recorded(open_path(str(path)), live=True)


def read(tree: ChangingTree) -> Machine:
    return read_machine(tree, processes=True)


@each(
    "name, address, change",
    [
        ("groups-of-one", "0000:00:03.0", unbound),
        ("groups-of-one", "0000:00:02.0", unbound),
        ("groups-of-one", "0000:00:04.1", removed),
        ("half-a-group", "0000:00:04.1", removed),
        ("sriov-one-group", "0000:3b:01.0", unbound),
        ("sriov-one-group", "0000:3b:01.1", removed),
    ],
)
def test_no_answer_is_that_of_neither_state(
    name: str,
    address: str,
    change: Callable[[Path, Path, str], Path],
    tmp_path: Path,
) -> None:
    """The change comes before every one of the operations."""
    before = state(SYSFS / name)
    after = state(change(SYSFS / name, tmp_path / name / address, address))
    whole = [ChangingTree(tree, tree, 0) for tree in (before, after)]
    one, other = (answers(read(tree)) for tree in whole)
    assert one != other
    judged: dict[str, list[str]] = {}
    for position in range(whole[0].made):
        machine = read(ChangingTree(before, after, position))
        if repr(machine) not in judged:
            judged[repr(machine)] = list(neither(one, other, answers(machine)))
        assert judged[repr(machine)] == [], f"changed before operation {position}"
