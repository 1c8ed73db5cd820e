"""Groups that vfio makes up in no-IOMMU mode come and go with its driver.

What 7.3.4 did: ``python -m lab run --kernels 7.3-own --machines no-iommu-unsafe``.
"""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import ALL_ERAS, SINCE_6_6, device, group, machine, only

from iommu_inspect.audit.changes import effects
from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import (
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
)
from iommu_inspect.kernel.steps.simulate import Simulation, simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.host.kernel import VfioSettings
from iommu_inspect.model.machine import Machine

CARD = device("0000:01:00.0", group=None)
OTHER = device("0000:02:00.0", "e1000e", group=None)


def host(mode: Fact[bool] = True) -> Machine:
    return machine(
        group(device("0000:00:01.0", group="0"), id="0"),
        ungrouped=(CARD, OTHER),
        iommus=(),
        vfio=VfioSettings(mode, False, False, type1_loaded=True),
    )


def take(*steps: str, found: Machine, era: Era = SINCE_6_6) -> Simulation:
    return simulate(found, only(era), [parse_step(step) for step in steps])


@pytest.mark.parametrize("era", ALL_ERAS[1:])
def test_a_vfio_driver_makes_a_group_for_a_device_without_one(era: Era) -> None:
    found = take("bind=01:00.0,vfio-pci", found=host(), era=era)
    (outcome,) = found.outcomes
    assert (outcome.answer.result, outcome.group) == ("0", "new")
    made = found.after.group("1")
    assert made is not None
    assert [d.address for d in made.devices] == [CARD.address]
    assert made.devices[0].group == "1"
    assert made.is_noiommu is True
    assert found.after.ungrouped == (OTHER,)
    answers = [
        Inquiry(found.after, only(era)).operation(made, each).result
        for each in (GET_STATUS, SET_CONTAINER, SET_IOMMU)
    ]
    assert answers == ["viable", "0", "-ENODEV"]


def test_the_group_goes_with_the_driver() -> None:
    steps = ("bind=01:00.0,vfio-pci", "unbind=01:00.0")
    found = take(*steps, found=host())
    assert [each.answer.result for each in found.outcomes] == ["0", "0"]
    assert [g.id for g in found.after.groups] == ["0"]
    assert found.after.ungrouped == (replace(CARD, driver_override="vfio-pci"), OTHER)
    again = take(*steps, "bind=01:00.0,vfio-pci", found=host())
    assert [g.id for g in again.after.groups] == ["0", "1"]


def test_letting_go_of_the_device_does_not_mend_the_host() -> None:
    bind, unbind = "bind=01:00.0,vfio-pci", "unbind=01:00.0"
    rules, bare = only(SINCE_6_6), replace(host(), groups=())
    bound = take(bind, found=bare).after
    there = effects(bound, take(unbind, found=bound), rules)
    back = effects(bare, take(bind, found=bare), rules)
    for found in (
        *(there.findings_before, there.findings_after),
        *(back.findings_before, back.findings_after),
    ):
        assert "no-iommu" in {each.rule for each in found}


def test_what_else_a_source_shows_in_such_a_group_stays() -> None:
    two = [replace(each, driver="vfio-pci", group="7") for each in (CARD, OTHER)]
    odd = machine(group(*two, id="7", name="vfio-noiommu"))
    after = take("unbind=01:00.0", found=odd).after
    assert [d.address for d in after.groups[0].devices] == [OTHER.address]
    assert [d.address for d in after.ungrouped] == [CARD.address]


def test_other_drivers_get_no_group() -> None:
    found = take("bind=01:00.0,igb", found=host())
    assert [g.id for g in found.after.groups] == ["0"]
    assert [d.driver for d in found.after.ungrouped] == ["igb", "e1000e"]


@pytest.mark.parametrize(
    ("mode", "result"),
    [(False, "-EINVAL"), (Missing.ABSENT, "-EINVAL"), (Missing.DENIED, "unknown")],
)
def test_without_the_mode_vfio_refuses_the_device(
    mode: Fact[bool], result: str
) -> None:
    found = take("bind=01:00.0,vfio-pci", found=host(mode))
    assert found.outcomes[0].answer.result == result
    assert found.after.groups == host(mode).groups
