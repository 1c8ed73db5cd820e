"""Which devices an entry of ids= names."""

from __future__ import annotations

import ctypes
from dataclasses import replace

import pytest
from builders import device
from hypothesis import example, given
from hypothesis import strategies as st

from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.host.dynamic_ids import matches, parse_id, split_ids
from iommu_inspect.model.identity import DeviceId

ANY = 0xFFFFFFFF
CARD = replace(
    device("0000:01:00.0"),
    ids=PciIds(0x10DE, 0x1E04, 0x1043, 0x8674, class_code=0x030000),
)


@pytest.mark.parametrize(
    ("entry", "named"),
    [
        ("10de:1e04", True),
        ("10DE:1E04", True),
        ("0x10de:0x1e04", True),
        ("10de:10f7", False),
        ("10de:ffffffff", True),
        ("10de:1e04:1043:8674", True),
        ("10de:1e04:1043", True),
        ("10de:1e04:1043:0001", False),
        ("10de:ffffffff:ffffffff:ffffffff:00030000:ffff00ff", True),
        ("10de:ffffffff:ffffffff:ffffffff:00040300:ffffffff", False),
        ("10de:1e04:ffffffff:ffffffff:00040300:0", True),  # a mask of 0 asks nothing
        ("10de:1e04x", True),  # the rest is not read
        ("110de:1e04", False),
    ],
)
def test_an_entry_names_a_device_as_the_kernel_compares_it(
    entry: str, named: bool
) -> None:
    parsed = parse_id(entry)
    assert parsed is not None
    assert matches(parsed, CARD) is named


@pytest.mark.parametrize("entry", ["", "10de", "10de-1e04", "10de:", ":1e04", "xyz:1"])
def test_what_the_kernel_calls_an_invalid_id_string(entry: str) -> None:
    assert parse_id(entry) is None


def test_bridges_and_devices_of_other_buses_are_never_named() -> None:
    entry = parse_id("10de:1e04")
    assert entry is not None
    bridge = replace(CARD, pci=PciPlacement(header_type=1))
    assert matches(entry, bridge) is False
    assert matches(entry, replace(CARD, id=DeviceId(CARD.address, "platform"))) is False


def test_a_missing_fact_leaves_it_open_only_where_it_would_decide() -> None:
    untold = replace(CARD, ids=PciIds(0x10DE, 0x1E04))
    whole, part = parse_id("10de:1e04:1043:8674"), parse_id("10de:1e04")
    by_class = parse_id("10de:1e04:ffffffff:ffffffff:030000:ff0000")
    other = parse_id("10de:0001:1043:8674")
    assert whole and part and by_class and other
    assert matches(whole, untold) is None
    assert matches(part, untold) is True
    assert matches(by_class, untold) is None
    assert matches(other, untold) is False
    assert matches(part, Device(DeviceId("0000:01:00.0", "pci"))) is None
    assert untold.ids.class_code is Missing.ABSENT


def test_empty_entries_are_passed_over() -> None:
    assert split_ids(",10de:1e04,,") == ("10de:1e04",)


def by_libc(text: str) -> list[int]:
    """Ask the C library's sscanf, which is the same in what is tried here."""
    numbers = (ctypes.c_uint * 6)()
    read = ctypes.CDLL(None).sscanf(
        text.encode(),
        b"%x:%x:%x:%x:%x:%x",
        *(ctypes.byref(numbers, 4 * i) for i in range(6)),
    )
    return list(numbers[: max(read, 0)])


@given(st.text("0123456789abcdefABCDEF::::g. ", max_size=40))
@example("10de:1e04:ffffffff:ffffffff:00030000:ffff00ff")
@example("0x10de:0X1e04")
@example("10de: 1e04")
def test_numbers_are_read_as_sscanf_reads_them(text: str) -> None:
    # Numbers of more than 32 bits end differently there.
    if any(len(part) > 8 for part in text.replace("0x", "").split(":")):
        return
    expected = by_libc(text)
    parsed = parse_id(text)
    if len(expected) < 2:
        assert parsed is None
        return
    assert parsed is not None
    defaults = [0, 0, ANY, ANY, 0, 0]
    assert list(parsed.numbers) == expected + defaults[len(expected) :]
