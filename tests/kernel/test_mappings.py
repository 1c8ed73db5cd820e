"""Firmware 1:1 mappings: where each kernel refuses, as it did when it was asked."""

from __future__ import annotations

import pytest
from builders import (
    BEFORE_5_19,
    SINCE_5_19,
    SINCE_6_2,
    SINCE_6_6,
    device,
    group,
    machine,
    only,
)

from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.operations import (
    CLAIM,
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
)
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import ReservedRegion
from iommu_inspect.model.host.iommu import IommuUnit
from iommu_inspect.model.machine import Machine

NIC = device("0000:01:00.0", "vfio-pci")
MSI = ReservedRegion(0xFEE00000, 0xFEEFFFFF, "msi")
DIRECT = (ReservedRegion(0x7B000000, 0x7BFFFFFF, "direct"), MSI)
RELAXABLE = (ReservedRegion(0, 0xFFFFFF, "direct-relaxable"), MSI)
VTD = (IommuUnit("dmar0"),)
AMD = (IommuUnit("ivhd0"),)


def host(
    regions: Fact[tuple[ReservedRegion, ...]],
    iommus: Fact[tuple[IommuUnit, ...]] = VTD,
) -> Machine:
    return machine(group(NIC, regions=regions), iommus=iommus)


def answers(built: Machine, era: Era) -> tuple[str, ...]:
    """Claim, status, container, IOMMU, attach."""
    only_group = built.groups[0]
    return (
        *(
            Inquiry(built, only(era)).operation(only_group, operation).result
            for operation in (CLAIM, GET_STATUS, SET_CONTAINER, SET_IOMMU)
        ),
        Inquiry(built, only(era)).attach(NIC).result,
    )


@pytest.mark.parametrize(
    ("era", "expected"),
    [
        # Asked of 5.10, 6.1, 6.12 and 7.3 with an RMRR in an emulated DMAR table.
        (BEFORE_5_19, ("n/a", "viable", "0", "-EPERM", "-EPERM")),
        (SINCE_5_19, ("-EPERM", "viable", "-EPERM", "-EINVAL", "-EPERM")),
        (SINCE_6_6, ("-EINVAL", "viable", "-EINVAL", "-EINVAL", "0")),
        # No kernel of this era was asked; read in the source of v6.3.2.
        (SINCE_6_2, ("0", "viable", "0", "-EPERM", "-EPERM")),
    ],
    ids=lambda value: value.name if isinstance(value, Era) else "",
)
def test_vtd_refuses_an_rmrr_where_the_kernel_did(
    era: Era, expected: tuple[str, ...]
) -> None:
    assert answers(host(DIRECT), era) == expected


@pytest.mark.parametrize("era", [BEFORE_5_19, SINCE_5_19, SINCE_6_2])
def test_other_iommus_refused_nothing_before_6_6(era: Era) -> None:
    assert answers(host(DIRECT, AMD), era)[1:] == ("viable", "0", "0", "0")


def test_since_6_6_every_iommu_refuses_the_claim() -> None:
    assert answers(host(DIRECT, AMD), SINCE_6_6)[0] == "-EINVAL"


@pytest.mark.parametrize("era", [BEFORE_5_19, SINCE_5_19, SINCE_6_2, SINCE_6_6])
def test_a_relaxable_mapping_refuses_nothing(era: Era) -> None:
    assert answers(host(RELAXABLE), era)[1:] == ("viable", "0", "0", "0")


def test_without_the_regions_or_the_unit_nothing_is_promised() -> None:
    assert answers(host(Missing.ABSENT), SINCE_6_6)[0] == "unknown"
    assert answers(host(Missing.ABSENT), SINCE_5_19)[4] == "unknown"
    assert answers(host(DIRECT, Missing.ABSENT), BEFORE_5_19)[3] == "unknown"
    # Before v6.6 an AMD host refuses nothing, whatever its regions are.
    assert answers(host(Missing.ABSENT, AMD), SINCE_5_19)[4] == "0"
