"""No vfio driver takes a device whose IOMMU does not promise coherent caches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import (
    ALL_ERAS,
    BEFORE_5_19,
    SINCE_5_19,
    SINCE_6_6,
    UNKNOWN_KERNEL,
    device,
    group,
    machine,
    only,
)

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.coherency import WITHOUT_COHERENCY, incoherent_iommu
from iommu_inspect.kernel.eras import Era, Semantics
from iommu_inspect.kernel.steps.binding import bind_answer
from iommu_inspect.model.asked.target import find_target
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.host.iommu import IommuUnit
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.steps.making import Outcome, make_plan
from iommu_inspect.verdict.outcome import Verdict

CARD = device("0000:01:00.0", iommu="fd800000.iommu")


def host(driver: Fact[str], **more: Any) -> Machine:
    units = (IommuUnit("other", "rk_iommu"), IommuUnit("fd800000.iommu", driver))
    return machine(group(CARD), iommus=units, **more)


@pytest.mark.parametrize("driver", sorted(WITHOUT_COHERENCY))
@pytest.mark.parametrize("era", ALL_ERAS)
def test_vfio_pci_is_refused_behind_such_an_iommu_since_v5_19(
    era: Era, driver: str
) -> None:
    answer = bind_answer(host(driver), CARD, "vfio-pci", era)
    assert answer.result == ("-EINVAL" if era.dma_owner else "0")
    assert bind_answer(host(driver), CARD, "nvme", era).result == "0"


@pytest.mark.parametrize("driver", ["arm-smmu-v3", "dmar0", Missing.ABSENT])
def test_of_other_iommus_nothing_is_claimed(driver: Fact[str]) -> None:
    found = host(driver)
    assert incoherent_iommu(found, CARD) is None
    assert bind_answer(found, CARD, "vfio-pci", SINCE_6_6).result == "0"
    for unit in (None, Missing.ABSENT, "nowhere"):
        assert incoherent_iommu(host("rk_iommu"), replace(CARD, iommu=unit)) is None


@pytest.mark.parametrize(
    ("rules", "outcome"),
    [(only(SINCE_5_19), Outcome.REFUSED), (UNKNOWN_KERNEL, Outcome.UNKNOWN)],
)
def test_it_is_said_before_anything_is_bound(
    rules: Semantics, outcome: Outcome
) -> None:
    found = host("rk_iommu", kernel=Kernel(release=Missing.ABSENT, command_line=""))
    target = find_target(found, "01:00.0")
    audited = audit(found, rules, (target,))
    assert "coherent" in " ".join(f.message for f in audited.findings)
    plan = make_plan(found, rules, (target,))
    assert plan.outcome is outcome
    assert "coherent" in " ".join(r.message for r in plan.refusals)
    assert audited.verdict is Verdict.BLOCKED  # it is on no vfio driver as yet


def test_before_v5_19_it_is_bound_and_planned() -> None:
    found = host("rk_iommu", kernel=Kernel(release="5.10.0", command_line=""))
    plan = make_plan(found, only(BEFORE_5_19), (find_target(found, "01:00.0"),))
    assert plan.outcome is Outcome.PLANNED
