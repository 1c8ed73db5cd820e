"""A check that cannot be written is no check that was made."""

from __future__ import annotations

from dataclasses import replace

from builders import UNKNOWN_KERNEL, device, group, machine

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.target import find_target
from iommu_inspect.plan.host.script_checks import check_lines
from iommu_inspect.plan.steps.making import make_plan
from iommu_inspect.rules.cures import Look, Looking


def test_a_script_fails_where_the_name_of_a_check_is_not_told() -> None:
    known = device("0000:01:00.0", "vfio-pci")
    host = machine(group(known, regions=Missing.ABSENT))
    plan = make_plan(host, UNKNOWN_KERNEL, [find_target(host, "01:00.0")])
    (condition,) = [c for c in plan.conditions if c.looks[0].what is Looking.REGIONS_OF]
    assert "no_direct pci 0000:01:00.0" in check_lines(plan)
    strange = device("0000:01:00.0", bus=Missing.ABSENT)
    looks = (Look(Looking.REGIONS_OF, strange.id),)
    doubtful = replace(plan, conditions=(replace(condition, looks=looks),))
    (line,) = check_lines(doubtful)
    assert line.startswith("fail '")
