"""Configuration space is parsed without trusting it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from shared import FIXTURES, SHARED, needs_shared

from iommu_inspect.model.device import Acs, SrIov
from iommu_inspect.model.fact import Missing, known
from iommu_inspect.model.pci.registers import PCI_CFG_SPACE_EXP_SIZE
from iommu_inspect.sources.sysfs.pci_config import ConfigSpace
from iommu_inspect.sources.tree.config_pieces import read_pieces

READERS = [
    "header_type",
    "multifunction",
    "pcie_type",
    "acs",
    "sriov",
    "hotplug_slot",
    "secondary_bus",
    "buses_below",
    "enabled_vfs",
    "identity",
]
# Those that find what they read through lists of capabilities.
LISTED = READERS[2:6]


def read(config: bytes | bytearray, *names: str) -> list[Any]:
    """Return the facts of these names."""
    found = ConfigSpace(bytes(config))
    return [getattr(found, name) for name in names]


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
    assert ConfigSpace(config).header_type == 1
    assert ConfigSpace(config).multifunction is True
    assert ConfigSpace(config).pcie_type == 4
    assert ConfigSpace(config).hotplug_slot is True
    assert ConfigSpace(config).secondary_bus == 7
    assert ConfigSpace(config).acs == Acs(0x1F, 0x1D, 0)
    assert ConfigSpace(config).sriov == SrIov(8, 0x80, 2, 0x10ED)


def test_a_capability_that_is_not_in_the_list_is_none() -> None:
    config = bytes(space())
    assert ConfigSpace(config).acs is None
    assert ConfigSpace(config).capabilities.find(0x05) is None


def test_without_root_capabilities_are_truncated_and_never_absent() -> None:
    config = bytes(with_extended(space()))[:64]
    assert ConfigSpace(config).header_type == 1
    assert read(config, *LISTED) == [Missing.TRUNCATED] * len(LISTED)


def test_zeros_that_an_archiver_added_are_no_configuration_space() -> None:
    config = bytes(with_extended(space()))[:64].ljust(4096, b"\0")
    assert read(config, *LISTED) == [Missing.TRUNCATED] * len(LISTED)


def test_extended_capabilities_are_truncated_in_256_bytes() -> None:
    config = bytes(with_extended(space()))[:256]
    assert ConfigSpace(config).pcie_type == 4
    assert ConfigSpace(config).acs is Missing.TRUNCATED
    assert ConfigSpace(config).sriov is Missing.TRUNCATED


def test_a_conventional_device_has_no_extended_capabilities() -> None:
    config = space(256)
    config[0x40:0x42] = b"\x01\x00"
    assert ConfigSpace(bytes(config)).pcie_type is None
    assert ConfigSpace(bytes(config)).acs is None


def test_a_virtual_function_answers_though_its_ids_are_ones() -> None:
    """PCIe 6.0, 9.3.4.1: the kernel takes the ids from the physical function."""
    config = bytes(b"\xff" * 4 + space(kind=0, header=0)[4:])
    assert ConfigSpace(config).pcie_type == 0
    assert ConfigSpace(config).acs is None
    assert ConfigSpace(config).identity.vendor is Missing.TRUNCATED


def test_numbers_of_the_header_are_read() -> None:
    config = with_extended(space())
    config[0x08:0x0C] = b"\x02\x00\x04\x06"
    config[0x1A] = 9
    config[0x168], config[0x170] = 1, 3
    whole = bytes(config)
    ids = ConfigSpace(whole).identity
    assert (ids.vendor, ids.device, ids.revision) == (0x1B36, 0x000C, 2)
    assert ids.class_code == 0x060400
    assert ids.subsystem_vendor is Missing.ABSENT
    assert ConfigSpace(whole).buses_below == (7, 9)
    assert ConfigSpace(whole[:0x1A]).buses_below is Missing.TRUNCATED
    assert ConfigSpace(whole).enabled_vfs == 3
    config[0x168] = 0
    assert ConfigSpace(bytes(config)).enabled_vfs == 0
    assert ConfigSpace(whole[:256]).enabled_vfs is Missing.TRUNCATED
    assert ConfigSpace(bytes(space())).enabled_vfs == 0


@pytest.mark.parametrize("size", [64, 256, 4096])
def test_a_device_that_sleeps_is_unreadable(size: int) -> None:
    config = b"\xff" * size
    assert read(config, *READERS[:6]) == [Missing.UNREADABLE] * 6


def test_a_list_that_goes_round_in_circles_is_unreadable() -> None:
    config = space()
    config[0x49] = 0x40
    assert ConfigSpace(bytes(config)).capabilities.find(0x05) is Missing.UNREADABLE
    config = with_extended(space())
    config[0x160:0x164] = b"\x10\x00\x01\x10"  # back to 0x100
    assert (
        ConfigSpace(bytes(config)).extended_capabilities.find(0x7) is Missing.UNREADABLE
    )


def test_a_list_that_leads_into_the_header_is_unreadable() -> None:
    config = space()
    config[0x49] = 0x10
    assert ConfigSpace(bytes(config)).capabilities.find(0x05) is Missing.UNREADABLE


@given(st.binary(max_size=600))
def test_noise_never_raises(noise: bytes) -> None:
    read(noise, *READERS)


@given(
    st.integers(0, 4096),
    st.lists(st.tuples(st.integers(0, 0x200), st.integers(0, 255)), max_size=6),
)
def test_bytes_cut_off_never_turn_a_capability_into_none(
    size: int, damage: list[tuple[int, int]]
) -> None:
    """None says "there is none": only the whole list can say that."""
    config = with_extended(space())
    for offset, value in damage:
        config[offset] = value
    whole, cut = read(config, *LISTED), read(config[:size], *LISTED)
    for of_all, of_some in zip(whole, cut, strict=True):
        if known(of_all) and of_all is not None:
            assert of_some is not None


@needs_shared
def test_real_configuration_spaces_are_read() -> None:
    files = sorted((SHARED / "libvirt" / "virpcitestdata").glob("*.config"))
    assert len(files) == 15
    kinds = {file.name: ConfigSpace(file.read_bytes()).pcie_type for file in files}
    assert Missing.UNREADABLE not in kinds.values()
    assert {kind for kind in kinds.values() if kind is not None}
    for file in files:  # none of them has ACS, says their collection
        assert not isinstance(ConfigSpace(file.read_bytes()).acs, Acs)


def test_a_space_that_was_cut_anywhere_gives_the_same_or_nothing() -> None:
    """What is behind the end is missing: never another value, never "none"."""
    config = bytes(with_extended(space()))
    whole = read(config, *READERS)
    assert all(map(known, whole))
    # Of these the last part lies apart, and can be missing alone.
    partial = {
        "acs": Acs(0x1F, 0x1D, None),
        "sriov": SrIov(8, 0x80, 2, Missing.TRUNCATED),
    }
    for size in (*range(64, 0x80), *range(0x100, 0x190)):
        cut = read(config[:size], *READERS)
        for name, fact, wanted in zip(READERS, cut, whole, strict=True):
            told = (wanted, Missing.TRUNCATED, partial.get(name))
            assert fact in told, (name, hex(size))


@pytest.mark.parametrize(
    ("at", "with_", "names"),
    [
        (0x40, b"\xff\x48", LISTED),  # a device that has left the bus
        (0x100, b"\xff\xff\xff\xff", ("acs", "sriov", "enabled_vfs")),
        (0x102, b"\x01\x08", ("acs", "sriov", "enabled_vfs")),  # on to 0x080
    ],
)
def test_a_list_that_leads_nowhere_is_unreadable(
    at: int, with_: bytes, names: tuple[str, ...]
) -> None:
    config = with_extended(space())
    config[at : at + len(with_)] = with_
    assert read(config, *names) == [Missing.UNREADABLE] * len(names)


# What is told of a function by its configuration space.
TOLD = [*READERS, "answers"]


def pieces(config: bytes) -> tuple[bytes, int]:
    """Return what is read of a device in pieces, and how many bytes that are."""
    count = 0

    def pread(size: int, offset: int) -> bytes:
        nonlocal count
        found = config[offset : offset + size]
        count += len(found)
        return found

    return read_pieces(pread), count


@given(
    st.sampled_from([4096, 4096, 256, 128, 70, 64, 63, 0]),
    st.lists(st.tuples(st.integers(0, 0x200), st.integers(0, 255)), max_size=6),
)
def test_what_is_read_in_pieces_tells_what_all_of_it_tells(
    size: int, damage: list[tuple[int, int]]
) -> None:
    config = with_extended(space())
    for offset, value in damage:
        config[offset] = value
    shown = bytes(config[:size])
    assert read(pieces(shown)[0], *TOLD) == read(shown, *TOLD)


@given(st.binary(max_size=600))
def test_what_is_read_in_pieces_of_noise_tells_the_same(noise: bytes) -> None:
    assert read(pieces(noise)[0], *TOLD) == read(noise, *TOLD)


@needs_shared
def test_what_is_read_in_pieces_of_real_devices_tells_the_same() -> None:
    configs = [*_configs(SHARED), *_configs(FIXTURES)]
    assert len(configs) > 500
    for config in configs:
        assert read(pieces(config)[0], *TOLD) == read(config, *TOLD)
    # Which is all there is in it for a device: so many reads fewer.
    express = [config for config in configs if len(config) == PCI_CFG_SPACE_EXP_SIZE]
    read_in_pieces = sum(pieces(config)[1] for config in express)
    assert read_in_pieces * 10 < PCI_CFG_SPACE_EXP_SIZE * len(express)


def _configs(folder: Path) -> Iterator[bytes]:
    """Yield the configuration spaces in files and in archives."""
    for path in folder.rglob("*.config"):
        yield path.read_bytes()
    for path in folder.rglob("*.tar*"):
        with tarfile.open(path) as archive:
            for member in archive:
                if member.name.endswith("/config") and member.isreg():
                    content = archive.extractfile(member)
                    assert content is not None
                    yield content.read()
