"""What audit and plan say of the same thing is the same, whatever it is wanted for."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest
from builders import device, group, machine, only
from shared import SYSFS

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.eras import ERAS, Era, Semantics, applicable
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.steps.making import Outcome, Plan, make_plan
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.verdict.outcome import Verdict

TREES = sorted(path for path in SYSFS.iterdir() if path.is_dir())


def targets_of(host: Machine) -> Iterator[Target]:
    for each in host.groups:
        yield Target(f"group:{each.id}", None, each)
    for each_device in host.devices:
        yield Target(each_device.address, each_device, host.group_of(each_device))


def contradiction(verdict: Verdict, plan: Plan) -> str:
    """Say how a verdict and a plan contradict each other; empty if they do not."""
    ready = verdict is Verdict.READY
    planned = plan.outcome is Outcome.PLANNED
    if ready and not (planned and plan.nothing_to_do):
        return f"ready, and the plan is {plan.outcome.value}"
    if planned and plan.nothing_to_do and not ready:
        return f"{verdict.value}, and there is nothing to do"
    return ""


def disagreement(
    host: Machine, rules: Semantics, target: Target, purpose: Purpose
) -> str:
    result = audit(host, rules, (target,), purpose=purpose)
    plan = make_plan(host, rules, (target,), purpose=purpose)
    return contradiction(result.verdict, plan)


@pytest.mark.no_cover
@pytest.mark.parametrize("tree", TREES, ids=lambda path: path.name)
def test_audit_and_plan_never_contradict_each_other(tree: Path) -> None:
    host = read_machine(open_path(str(tree)))
    rules = applicable(host.kernel)
    wrong = [
        f"{target.text} for {purpose.value}: {said}"
        for purpose in Purpose
        for target in targets_of(host)
        if (said := disagreement(host, rules, target, purpose))
    ]
    assert not wrong


DRIVERS = (None, "vfio-pci", "e1000e", "uio_pci_generic", "mlx5_core")


def pairs() -> Iterator[Machine]:
    """Yield cards with two functions on each pair of drivers."""
    for one, other in product(DRIVERS, DRIVERS):
        for ids in (PciIds(0x8086, 0x1234), PciIds(0x15B3, 0x1017)):
            named = (device("0000:01:00.0", one), device("0000:01:00.1", other))
            coded = replace(ids, class_code=0x020000)
            yield machine(group(*(replace(d, ids=coded) for d in named)))


@pytest.mark.no_cover
@pytest.mark.parametrize("era", ERAS, ids=lambda era: era.name)
def test_nor_about_two_functions_on_any_drivers(era: Era) -> None:
    wrong = [
        f"{purpose.value} {target.text} {[d.driver for d in host.devices]}: {said}"
        for host in pairs()
        for purpose in Purpose
        for target in targets_of(host)
        if (said := disagreement(host, only(era), target, purpose))
    ]
    assert not wrong
