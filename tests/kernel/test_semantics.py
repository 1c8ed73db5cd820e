"""Which rules apply is decided by what exists, then by the release number."""

from __future__ import annotations

from dataclasses import replace

import pytest

from iommu_inspect.kernel.eras import (
    ERAS,
    PROPOSED,
    Era,
    UnknownSemanticsError,
    applicable,
    named,
)
from iommu_inspect.model.host.kernel import Kernel

V4_1, V5_18, V6_1, V6_5, LATEST = ERAS


def eras(release: str | None = None, *features: str) -> list[str]:
    kernel = Kernel(features=frozenset(features))
    if release is not None:
        kernel = Kernel(release=release, features=frozenset(features))
    return [era.name for era in applicable(kernel).eras]


@pytest.mark.parametrize(
    ("release", "era"),
    [
        ("4.1.52", V4_1),
        ("4.2.0-rc1", V5_18),
        ("5.10.0-32-amd64", V5_18),
        ("5.18.19", V5_18),
        ("5.19.0", V6_1),
        ("6.1.0-35-amd64", V6_1),
        ("6.2.0", V6_5),
        ("6.6.1", LATEST),
        ("6.12.107+deb13-amd64", LATEST),
        ("7.3.4", LATEST),
        ("v6.12", LATEST),
        ("6.17.0-kenny+", LATEST),
        ("10.0.0", LATEST),
    ],
)
def test_a_plain_release_has_exactly_one_set_of_rules(release: str, era: Era) -> None:
    (found,) = named(release).eras
    assert applicable(Kernel(release=release)).eras == (found,)
    # Before v4.4 the release says more than the era: which bridges count.
    assert replace(found, bridges=era.bridges) == era


@pytest.mark.parametrize(
    "release",
    [
        "5.14.0-427.13.1.el9_4.x86_64",
        "5.15.0-200.131.27.el9uek.x86_64",
        "5.14.21-150500.55-default",
    ],
)
def test_a_vendor_that_carries_code_back_leaves_the_upper_end_open(
    release: str,
) -> None:
    assert named(release).eras == (V5_18, V6_1, V6_5, LATEST)


def test_vfio_dev_proves_dma_ownership_whatever_the_number_says() -> None:
    assert eras("5.14.0-427.el9.x86_64", "vfio-dev") == [
        V6_1.name,
        V6_5.name,
        LATEST.name,
    ]
    assert eras("5.10.0", "vfio-dev") == [V6_1.name, V6_5.name, LATEST.name]


def test_iommufd_proves_the_rules_of_6_2() -> None:
    assert eras("5.14.0-427.el9.x86_64", "iommufd") == [V6_5.name, LATEST.name]


def test_type_information_settles_a_vendor_kernel_in_both_directions() -> None:
    rhel = "5.14.0-162.el9.x86_64"
    assert eras(rhel, "btf") == [V5_18.name]
    assert eras(rhel, "btf", "driver_managed_dma") == [V6_1.name]
    newer = ("btf", "driver_managed_dma", "iommu_device_claim_dma_owner")
    assert eras(rhel, *newer) == [V6_5.name]
    assert eras(rhel, *newer, "require_direct") == [LATEST.name]


def test_a_feature_that_is_no_newer_than_the_release_changes_nothing() -> None:
    assert eras("6.1.1", "vfio-dev", "reserved-regions") == [V6_1.name]


def test_a_feature_between_two_eras_does_not_open_the_upper_end() -> None:
    """6.1 has vfio-dev, which came after the rules that 6.1 has."""
    assert eras("4.9.0", "reserved-regions") == [V5_18.name]


def test_an_unknown_kernel_may_have_any_rules() -> None:
    assert eras() == [era.name for era in ERAS]
    assert eras("not a release") == [era.name for era in ERAS]


def test_what_exists_narrows_an_unknown_kernel() -> None:
    assert eras(None, "reserved-regions") == [era.name for era in ERAS[1:]]


def test_the_proposal_is_asked_for_by_name() -> None:
    assert named("proposed-single-driver").eras == (PROPOSED,)


@pytest.mark.parametrize("name", ["", "auto", "six", "6", "-6.12", "6.12extra", "6.x"])
def test_anything_else_is_refused_with_the_choices(name: str) -> None:
    with pytest.raises(UnknownSemanticsError, match="proposed-single-driver"):
        named(name)
