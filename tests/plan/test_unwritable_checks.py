"""A check that cannot be written is no check that was made."""

from __future__ import annotations

import re
from dataclasses import replace

from builders import UNKNOWN_KERNEL, device, group, machine
from examples import each

from iommu_inspect.model.asked.target import Target, find_target
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.plan.host.script_checks import check_lines
from iommu_inspect.plan.steps.making import make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.render.plans.plan import plan_text
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules.finding import Purpose


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


@each(
    "name, bus, because",
    [
        (
            "0000:01:00.0",
            Missing.ABSENT,
            "a name that it needs is not in the source",
        ),
        ("x;id", "pci", "'x;id' is no name that a command may hold"),
        ("0000:01:00.0", "p ci", "'p ci' is no name that a command may hold"),
    ],
)
def test_what_is_ready_and_has_no_name_for_a_command_is_written_as_a_note(
    name: str, bus: Fact[str], because: str
) -> None:
    strange = device(name, "vfio-pci", bus=bus)
    # Of what may be no PCI device it is not told whether its interrupts are remapped.
    host = machine(group(strange))
    vfio = replace(host.vfio, type1_allow_unsafe_interrupts=True)
    host = replace(host, vfio=vfio)
    plan = make_plan(host, UNKNOWN_KERNEL, [find_target(host, "group:1")])
    words = written(plan, UNKNOWN_KERNEL)
    assert plan.nothing_to_do
    assert words.saved_driverctl is not None
    assert words.saved_driverctl.lines == ()
    assert words.saved_driverctl.notes == (f"No command is written: {because}.",)


@each("bus", ["pci", "p ci", Missing.ABSENT])
@each("name", ["devices", "x;id", "-n", "0000:01:00.0"])
@each("purpose", [Purpose.VFIO, Purpose.DPDK, Purpose.ONE_PER_GROUP, Purpose.ATTACH])
def test_every_part_of_a_ready_plan_can_do_without_a_name(
    bus: Fact[str], name: str, purpose: Purpose
) -> None:
    strange = device(name, "vfio-pci", bus=bus)
    for host in (machine(group(strange)), machine(ungrouped=(strange,))):
        target = Target(name, strange, host.group_of(strange))
        plan = make_plan(host, UNKNOWN_KERNEL, [target], purpose=purpose)
        words = written(plan, UNKNOWN_KERNEL)
        for text in (plan_text(plan, words, UNKNOWN_KERNEL), str(words)):
            assert not re.search(r"/devices/(devices|x;id|-n)|/bus/p ci", text)
