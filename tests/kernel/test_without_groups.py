"""A kernel without CONFIG_VFIO_GROUP has no /dev/vfio/N, and says so nowhere else."""

from __future__ import annotations

import shutil
from pathlib import Path

from faults.cases import FaultCase, opened
from shared import SYSFS

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import (
    CLAIM,
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
)
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.machine import NO_VFIO_GROUP, Machine
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.verdict.outcome import Verdict

CARD = "0000:00:05.0"


def host(tmp_path: Path, *, groups: bool, live: bool = True) -> Machine:
    """Read a card on a vfio driver with a node of its own; ``live``: of a host."""
    made = tmp_path / f"{groups}{live}"
    copy = Path(shutil.copytree(SYSFS / "variant-by-vfio-dev", made, symlinks=True))
    if not groups:
        shutil.rmtree(copy / "sys/class/vfio")
    return read_machine(opened(FaultCase(str(copy), live=live)))


def results(machine: Machine) -> list[str]:
    group = find_target(machine, CARD).group
    assert group is not None
    inquiry = Inquiry(machine, applicable(machine.kernel))
    asked = (GET_STATUS, SET_CONTAINER, SET_IOMMU, CLAIM)
    return [inquiry.operation(group, each).result for each in asked]


def test_calls_of_groups_fail_and_those_of_the_core_do_not(tmp_path: Path) -> None:
    with_groups, without = (host(tmp_path, groups=g) for g in (True, False))
    assert results(with_groups)[0] == "viable"
    *calls, claim = results(without)
    assert calls == ["-ENOENT"] * 3
    assert claim == results(with_groups)[-1]


def test_what_iommufd_answers_is_not_known(tmp_path: Path) -> None:
    machine = host(tmp_path, groups=False)
    rules = applicable(machine.kernel)
    target = find_target(machine, CARD)
    for targets in ((target,), ()):
        found = audit(machine, rules, targets, purpose=Purpose.VFIO)
        assert found.verdict is Verdict.UNKNOWN
        (told,) = [f for f in found.findings if "CONFIG_VFIO_GROUP" in f.message]
        assert told.rule == "not-on-vfio"


def test_a_capture_may_lack_the_class(tmp_path: Path) -> None:
    for live, groups, lacking in (
        (True, False, True),
        (True, True, False),
        (False, False, False),
    ):
        machine = host(tmp_path, groups=groups, live=live)
        assert (NO_VFIO_GROUP in machine.kernel.features) is lacking
