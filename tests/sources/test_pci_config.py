"""Configuration space is parsed without trusting it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import SHARED, needs_shared

from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.machine import Acs, SrIov
from iommu_inspect.sources.sysfs import pci_config

READERS: list[Callable[[bytes], Any]] = [
    pci_config.header_type,
    pci_config.multifunction,
    pci_config.pcie_type,
    pci_config.acs,
    pci_config.sriov,
    pci_config.hotplug_slot,
    pci_config.secondary_bus,
    pci_config.buses_below,
    pci_config.enabled_vfs,
    pci_config.identity,
]
# Those that find what they read through lists of capabilities.
LISTED = READERS[2:6]


def space(size: int = 4096, *, kind: int = 0x4, header: int = 0x81) -> bytearray:
    """A root port with a PCI Express capability at 0x48, behind one at 0x40."""
    config = bytearray(size)
    config[0:4] = b"\x36\x1b\x0c\x00"
    config[0x06] = 0x10
    config[0x0E] = header
    config[0x19] = 0x07
    config[0x34] = 0x40
    config[0x40:0x42] = b"\x01\x48"
    config[0x48:0x4C] = bytes([0x10, 0x00, kind << 4 | 0x2, 0x01])
    config[0x48 + 0x14] = 0x40
    return config


def with_extended(config: bytearray) -> bytearray:
    """AER at 0x100, then ACS at 0x140, then SR-IOV at 0x160, the last one."""
    config[0x100:0x104] = b"\x01\x00\x01\x14"
    config[0x140:0x148] = b"\x0d\x00\x01\x16\x1f\x00\x1d\x00"
    config[0x160:0x164] = b"\x10\x00\x01\x00"
    config[0x16E:0x170] = b"\x08\x00"
    config[0x174:0x17C] = b"\x80\x00\x02\x00\x00\x00\xed\x10"
    return config


def test_a_whole_configuration_space_is_read() -> None:
    config = bytes(with_extended(space()))
    assert pci_config.header_type(config) == 1
    assert pci_config.multifunction(config) is True
    assert pci_config.pcie_type(config) == 4
    assert pci_config.hotplug_slot(config) is True
    assert pci_config.secondary_bus(config) == 7
    assert pci_config.acs(config) == Acs(0x1F, 0x1D, 0)
    assert pci_config.sriov(config) == SrIov(8, 0x80, 2, 0x10ED)


def test_a_capability_that_is_not_in_the_list_is_none() -> None:
    config = bytes(space())
    assert pci_config.acs(config) is None
    assert pci_config.find_capability(config, 0x05) is None


def test_without_root_capabilities_are_truncated_and_never_absent() -> None:
    config = bytes(with_extended(space()))[:64]
    assert pci_config.header_type(config) == 1
    assert [read(config) for read in LISTED] == [Missing.TRUNCATED] * len(LISTED)


def test_zeros_that_an_archiver_added_are_no_configuration_space() -> None:
    config = bytes(with_extended(space()))[:64].ljust(4096, b"\0")
    assert [read(config) for read in LISTED] == [Missing.TRUNCATED] * len(LISTED)


def test_extended_capabilities_are_truncated_in_256_bytes() -> None:
    config = bytes(with_extended(space()))[:256]
    assert pci_config.pcie_type(config) == 4
    assert pci_config.acs(config) is Missing.TRUNCATED
    assert pci_config.sriov(config) is Missing.TRUNCATED


def test_a_conventional_device_has_no_extended_capabilities() -> None:
    config = space(256)
    config[0x40:0x42] = b"\x01\x00"
    assert pci_config.pcie_type(bytes(config)) is None
    assert pci_config.acs(bytes(config)) is None


def test_a_virtual_function_answers_though_its_ids_are_ones() -> None:
    """PCIe 6.0, 9.3.4.1: the kernel takes the ids from the physical function."""
    config = bytes(b"\xff" * 4 + space(kind=0, header=0)[4:])
    assert pci_config.pcie_type(config) == 0
    assert pci_config.acs(config) is None
    assert pci_config.identity(config).vendor is Missing.TRUNCATED


def test_numbers_of_the_header_are_read() -> None:
    config = with_extended(space())
    config[0x08:0x0C] = b"\x02\x00\x04\x06"
    config[0x1A] = 9
    config[0x168], config[0x170] = 1, 3
    whole = bytes(config)
    ids = pci_config.identity(whole)
    assert (ids.vendor, ids.device, ids.revision) == (0x1B36, 0x000C, 2)
    assert ids.class_code == 0x060400
    assert ids.subsystem_vendor is Missing.ABSENT
    assert pci_config.buses_below(whole) == (7, 9)
    assert pci_config.buses_below(whole[:0x1A]) is Missing.TRUNCATED
    assert pci_config.enabled_vfs(whole) == 3
    config[0x168] = 0
    assert pci_config.enabled_vfs(bytes(config)) == 0
    assert pci_config.enabled_vfs(whole[:256]) is Missing.TRUNCATED
    assert pci_config.enabled_vfs(bytes(space())) == 0


@pytest.mark.parametrize("size", [64, 256, 4096])
def test_a_device_that_sleeps_is_unreadable(size: int) -> None:
    config = b"\xff" * size
    for read in READERS[:6]:
        assert read(config) is Missing.UNREADABLE


def test_a_list_that_goes_round_in_circles_is_unreadable() -> None:
    config = space()
    config[0x49] = 0x40
    assert pci_config.find_capability(bytes(config), 0x05) is Missing.UNREADABLE
    config = with_extended(space())
    config[0x160:0x164] = b"\x10\x00\x01\x10"  # back to 0x100
    assert pci_config.find_extended_capability(bytes(config), 0x7) is Missing.UNREADABLE


def test_a_list_that_leads_into_the_header_is_unreadable() -> None:
    config = space()
    config[0x49] = 0x10
    assert pci_config.find_capability(bytes(config), 0x05) is Missing.UNREADABLE


@given(st.binary(max_size=600), st.sampled_from(READERS))
def test_noise_never_raises(noise: bytes, read: Callable[[bytes], Any]) -> None:
    read(noise)


@given(
    st.integers(0, 4096),
    st.lists(st.tuples(st.integers(0, 0x200), st.integers(0, 255)), max_size=6),
    st.sampled_from(LISTED),
)
def test_bytes_cut_off_never_turn_a_capability_into_none(
    size: int, damage: list[tuple[int, int]], read: Callable[[bytes], Any]
) -> None:
    """None says "there is none": only the whole list can say that."""
    config = with_extended(space())
    for offset, value in damage:
        config[offset] = value
    whole, cut = read(bytes(config)), read(bytes(config[:size]))
    if known(whole) and whole is not None:
        assert cut is not None


@needs_shared
def test_real_configuration_spaces_are_read() -> None:
    files = sorted((SHARED / "libvirt" / "virpcitestdata").glob("*.config"))
    assert len(files) == 15
    kinds = {file.name: pci_config.pcie_type(file.read_bytes()) for file in files}
    assert Missing.UNREADABLE not in kinds.values()
    assert {kind for kind in kinds.values() if kind is not None}
    for file in files:  # none of them has ACS, says their collection
        assert not isinstance(pci_config.acs(file.read_bytes()), Acs)
