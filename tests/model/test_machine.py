"""Questions about single devices."""

from __future__ import annotations

from dataclasses import replace

import pytest
from builders import device, group, machine

from iommu_inspect.model.fact import Fact, Missing


@pytest.mark.parametrize(
    ("address", "path", "expected"),
    [
        ("0000:01:00.0", "sys/devices/pci0000:00/0000:00:01.0/0000:01:00.0", False),
        # A VMD's domain has a root of its own below a PCI function.
        (
            "10000:e1:00.0",
            "sys/devices/pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0/10000:e1:00.0",
            True,
        ),
        # On arm64 every root is below a platform device, and Hyper-V numbers high.
        (
            "0000:01:00.0",
            "sys/devices/platform/4010000000.pcie/pci0000:00/0000:00:01.0/0000:01:00.0",
            False,
        ),
        ("1a2b3:00:02.0", "sys/devices/LNXSYSTM:00/pci1a2b3:00/1a2b3:00:02.0", False),
        ("10000:e1:00.0", Missing.ABSENT, True),
        ("0000:01:00.0", Missing.ABSENT, False),
    ],
)
def test_only_a_root_below_a_function_is_a_vmd(
    address: str, path: Fact[str], expected: bool
) -> None:
    assert replace(device(address), path=path).is_below_vmd is expected


def test_of_two_devices_of_one_name_the_one_that_is_meant_is_replaced() -> None:
    """A capture can show one identity at two places."""
    first = device("0000:00:01.0", "i915")
    second = replace(first, path="sys/devices/elsewhere/0000:00:01.0", group="2")
    host = machine(group(first), group(second, id="2"))
    for old in (first, second):
        after = host.with_device(old, replace(old, driver=None))
        assert [d.driver for d in after.devices] == [
            None if d is old else "i915" for d in host.devices
        ]
    assert len(host.called("0000:00:01.0")) == 1
