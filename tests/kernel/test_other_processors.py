"""s390 and POWER: groups, interrupts and containers unlike those of x86 and Arm."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import SINCE_6_6, device, group, machine, only

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.grouping.growth import Growing
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.prediction import foretell
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.grouping.telling.sharing import pair, sharing
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import SET_IOMMU
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.device import Device, PciPlacement
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.platform import Architecture, Processor
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.verdict.outcome import Verdict


def function(address: str, driver: str | None, group_id: str) -> Device:
    """One of a slot that holds several, which nothing isolates: one group on x86."""
    placed = PciPlacement(
        header_type=0, multifunction=True, pcie_type=None, acs=None, sriov=None
    )
    found = device(address, driver, group=group_id)
    return replace(found, path=f"sys/devices/pci0000:00/{address}", pci=placed)


def host(architecture: Architecture, *groups: Group) -> Machine:
    return machine(*groups, processor=Processor(architecture))


FIRST = function("0000:00:01.0", "vfio-pci", "1")
SECOND = function("0000:00:01.1", "vfio-pci", "2")
APART = group(FIRST, id="1"), group(SECOND, id="2")
TOGETHER = group(FIRST, replace(SECOND, group="1"), id="1")


@pytest.mark.parametrize(
    ("architecture", "agrees"),
    [
        (Architecture.X86, False),
        (Architecture.S390, True),
        (Architecture.POWER, None),
        (Architecture.OTHER, None),
    ],
)
def test_functions_of_one_slot_are_alone_on_s390_and_untold_on_power(
    architecture: Architecture, agrees: bool | None
) -> None:
    found = host(architecture, *APART)
    assert recompute(found).agreement(found.groups[0]).agrees is agrees
    assert [d.group.id for d in foretell(found).differs] == (
        ["1", "2"] if agrees is False else []
    )


def test_a_group_of_two_is_explained_on_x86_alone() -> None:
    for architecture, mechanism in (
        (Architecture.X86, "multifunction"),
        (Architecture.POWER, "unknown"),
    ):
        (reason,) = sharing(Grouping(host(architecture, TOGETHER)), FIRST).reasons
        assert reason.mechanism == mechanism
    assert "firmware decides" in reason.evidence


def test_why_two_functions_are_apart_is_said_by_the_processor() -> None:
    found = host(Architecture.S390, *APART)
    told = pair(Grouping(found), recompute(found), FIRST, SECOND)
    assert told.evidence == "on s390 the kernel gives each function a group of its own"


def test_no_group_of_s390_grows_and_on_power_it_is_not_told() -> None:
    for architecture, can_grow in (
        (Architecture.X86, True),
        (Architecture.S390, False),
        (Architecture.POWER, None),
    ):
        found = host(architecture, *APART)
        assert Growing(Grouping(found)).growth(found.groups[0]).can_grow is can_grow


def test_groups_of_s390_are_foretold_and_of_power_not() -> None:
    for architecture, told in ((Architecture.S390, True), (Architecture.POWER, False)):
        alone = replace(FIRST, group=None), replace(SECOND, group=None)
        bare = machine(ungrouped=alone, processor=Processor(architecture))
        foretold = foretell(bare)
        assert foretold.told is told
        assert [len(g.devices) for g in foretold.machine.groups] == (
            [1, 1] if told else []
        )


@pytest.mark.parametrize(
    ("architecture", "result", "verdict"),
    [
        (Architecture.S390, "0", Verdict.READY),
        (Architecture.POWER, "unknown", Verdict.UNKNOWN),
    ],
)
def test_type_1_is_there_on_s390_and_not_on_power(
    architecture: Architecture, result: str, verdict: Verdict
) -> None:
    found = host(architecture, group(FIRST, id="1"))
    rules = only(SINCE_6_6)
    answer = Inquiry(found, rules).operation(found.groups[0], SET_IOMMU)
    assert answer.result == result
    target = find_target(found, "group:1")
    judged = audit(found, rules, (target,), purpose=Purpose.VFIO)
    assert judged.verdict is verdict
    steps = {f.step for f in judged.findings if f.rule == "not-on-vfio"}
    wanted = {"find out what the container of POWER answers"}
    assert steps == (wanted if result == "unknown" else set())
