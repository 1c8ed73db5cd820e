"""Which of a suite's kernels the lab takes."""

from __future__ import annotations

import pytest

from lab.errors import LabError, Unavailable
from lab.kernels.known import KERNELS, OWN_KERNELS, Kernel, find_kernel
from lab.kernels.own import configuration, unmet
from lab.kernels.packaged import newest

NAMES = [
    "linux-image-6.1.0-9-amd64",
    "linux-image-6.1.0-50-amd64",
    "linux-image-6.1.0-51-cloud-amd64",
    "linux-image-6.1.0-52-amd64-unsigned",
    "linux-image-6.12.9+deb13-amd64",
    "linux-image-6.12.90+deb12.1-amd64",
    "linux-image-6.12.90+deb12-amd64",
    "linux-image-6.18.9+deb13-amd64",
    "linux-image-6.18.15+deb13-amd64",
    "linux-image-6.18.16+deb13-rt-amd64",
    "linux-image-6.18.15+deb13-amd64-dbg",
    "linux-image-7.3.4+deb13-arm64",
    "linux-image-amd64",
]


@pytest.mark.parametrize(
    ("series", "architecture", "package"),
    [
        ("6.1", "amd64", "linux-image-6.1.0-50-amd64"),
        ("6.12", "amd64", "linux-image-6.12.90+deb12.1-amd64"),
        ("6.18", "amd64", "linux-image-6.18.15+deb13-amd64"),
        ("7.3", "arm64", "linux-image-7.3.4+deb13-arm64"),
    ],
)
def test_the_newest_of_a_series_and_of_no_flavour_is_taken(
    series: str, architecture: str, package: str
) -> None:
    kernel = Kernel(series, series, architecture, ("trixie",))
    assert newest(kernel, NAMES) == package
    assert newest(kernel, NAMES[::-1]) == package


def test_a_series_that_a_suite_no_longer_holds_is_said() -> None:
    kernel = Kernel("7.3", "7.3", "amd64", ("trixie-backports",))
    with pytest.raises(Unavailable, match=r"trixie-backports holds no kernel 7\.3"):
        newest(kernel, NAMES)


def test_kernels_are_in_the_order_of_their_numbers() -> None:
    numbers = [k.number for k in KERNELS.values() if k.architecture == "amd64"]
    assert numbers == sorted(numbers)
    assert len(numbers) == 8


def test_our_own_kernels_are_asked_for_by_name_alone() -> None:
    assert not KERNELS.keys() & OWN_KERNELS.keys()
    assert find_kernel("7.3-own").own
    for kernel in OWN_KERNELS.values():
        assert kernel.series in KERNELS


def test_an_option_is_left_out_where_a_kernel_is_to_be_without_it() -> None:
    whole, less = (configuration(OWN_KERNELS[n]) for n in ("7.3-own", "7.3-no-group"))
    assert set(whole) - set(less) == {"CONFIG_VFIO_GROUP=y", "CONFIG_VFIO_CONTAINER=y"}
    assert whole == sorted(whole)


def test_what_a_build_would_lack_is_said_before_it_is_made() -> None:
    old, new = OWN_KERNELS["6.1-own"], OWN_KERNELS["7.3-own"]
    for kernel in (old, new):
        assert unmet(kernel, configuration(kernel)) == []
    made = [line for line in configuration(new) if "IOMMUFD" not in line]
    with pytest.raises(LabError, match=r"7\.3-own would have no IOMMUFD"):
        unmet(new, made)
    # v6.1 has none.
    assert unmet(old, made) == ["IOMMUFD"]
