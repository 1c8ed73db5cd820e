"""A group that is given an iommufd in place of a container: the claim comes later."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import ALL_ERAS, SINCE_6_6, UNKNOWN_KERNEL, device, group, machine, only

from iommu_inspect.kernel.eras import Era
from iommu_inspect.kernel.ownership.in_place_of_container import (
    GET_BY_IOMMUFD,
    SET_IOMMUFD,
)
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Group, Held, ReservedRegion
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.kernel import (
    NO_VFIO_GROUP,
    VFIO_GROUP,
    Kernel,
    VfioSettings,
)
from iommu_inspect.model.machine import Machine

NOW = only(SINCE_6_6)
CARD = device("0000:01:00.0", "vfio-pci")
BESIDE = device("0000:01:00.1", "e1000e", vfio_devices=())
HAS_IOMMUFD = Kernel(features=frozenset({VFIO_GROUP, "iommufd"}))


def asked(found: Group, card: Device = CARD, rules: Any = NOW, **facts: Any) -> Any:
    """Return what setting the iommufd and asking for the device are answered."""
    host = machine(found, **({"kernel": HAS_IOMMUFD} | facts))
    inquiry = Inquiry(host, rules)
    return (
        inquiry.set_iommufd(found).result,
        inquiry.device_fd_by_iommufd(card, found).result,
    )


@pytest.mark.parametrize("era", ALL_ERAS)
def test_it_stands_in_since_v6_2(era: Era) -> None:
    has_it = era.since >= (6, 2)
    found = asked(group(CARD), rules=only(era))
    assert found == (("0", "0") if has_it else ("n/a", "n/a"))


@pytest.mark.parametrize(
    ("found", "card", "set_iommufd", "by_iommufd"),
    [
        # Where a container refuses, an iommufd is taken: only the device is refused.
        (group(CARD, BESIDE), CARD, "0", "-EPERM"),
        (group(CARD, BESIDE), BESIDE, "0", "-ENODEV"),
        (group(CARD, replace(BESIDE, driver=None)), CARD, "0", "0"),
        (group(CARD, replace(BESIDE, driver=Missing.DENIED)), CARD, "0", "unknown"),
        (group(BESIDE), BESIDE, "-ENOENT", "-ENOENT"),
        (group(CARD, held=Held.BY_USER), CARD, "-EBUSY", "-EBUSY"),
        (group(CARD, held=Held.BY_IOMMUFD), CARD, "-EBUSY", "-EBUSY"),
        (group(CARD, held=Held.BY_KERNEL_DOMAIN), CARD, "0", "-EBUSY"),
        (group(CARD, name=Missing.DENIED), CARD, "unknown", "unknown"),
    ],
)
def test_the_claim_comes_with_the_device(
    found: Group, card: Device, set_iommufd: str, by_iommufd: str
) -> None:
    assert asked(found, card) == (set_iommufd, by_iommufd)


def test_what_refuses_the_claim_or_the_domain_refuses_the_device() -> None:
    firmware = (ReservedRegion(0x1000, 0x1FFF, "direct"),)
    assert asked(group(CARD, regions=firmware)) == ("0", "-EINVAL")
    off = InterruptRemapping.OFF
    assert asked(group(CARD), remapping=off) == ("0", "-EPERM")
    # It is iommufd's parameter that counts, not that of vfio_iommu_type1.
    for type1, iommufd, result in ((True, False, "-EPERM"), (False, True, "0")):
        allowed = VfioSettings(type1, False, iommufd_allow_unsafe_interrupts=iommufd)
        assert asked(group(CARD), remapping=off, vfio=allowed) == ("0", result)


def test_in_no_iommu_mode_nothing_is_claimed_since_v6_3() -> None:
    made_up = group(CARD, name="vfio-noiommu")
    assert asked(made_up) == ("0", "0")
    between = next(e for e in ALL_ERAS if e.since == (6, 2))
    for release, result in (("6.2.16", "unknown"), ("6.5.3", "0")):
        kernel = replace(HAS_IOMMUFD, release=release)
        assert asked(made_up, rules=only(between), kernel=kernel) == (result, result)


def test_a_virtual_function_takes_a_token_as_by_a_container() -> None:
    physical = device("0000:05:00.0", "vfio-pci", group="2")
    own = device("0000:05:00.1", "vfio-pci")
    own = replace(own, pci=replace(own.pci, physfn=physical.id))
    inquiry = Inquiry(
        machine(group(own), group(physical, id="2"), kernel=HAS_IOMMUFD), NOW
    )
    found = inquiry.machine.group_of(own)
    assert found is not None
    assert inquiry.device_fd_by_iommufd(own, found).result == "-EACCES"


def test_a_kernel_without_nodes_of_groups_has_none_to_give_it() -> None:
    kernel = Kernel(features=frozenset({NO_VFIO_GROUP, "iommufd"}))
    assert asked(group(CARD), kernel=kernel) == ("-ENOENT", "-ENOENT")


def test_an_unknown_kernel_leaves_it_unknown() -> None:
    assert asked(group(CARD), rules=UNKNOWN_KERNEL) == ("unknown", "unknown")


@pytest.mark.parametrize(("features", "count"), [(HAS_IOMMUFD, 2), (Kernel(), 0)])
def test_it_is_predicted_where_the_kernel_has_iommufd(
    features: Kernel, count: int
) -> None:
    host: Machine = machine(group(CARD), group(BESIDE, id="2"), kernel=features)
    said = [p.operation for p in Inquiry(host, NOW).predictions()]
    assert sum(name in (SET_IOMMUFD, GET_BY_IOMMUFD) for name in said) == count
