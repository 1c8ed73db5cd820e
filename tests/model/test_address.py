from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.text import natural_key

ADDRESSES = st.builds(
    PciAddress,
    domain=st.integers(0, 0xFFFFFFFF),
    bus=st.integers(0, 0xFF),
    slot=st.integers(0, 0x1F),
    function=st.integers(0, 7),
)


def by_name(name: str) -> DeviceId:
    return DeviceId(name, Missing.ABSENT)


@given(ADDRESSES)
def test_an_address_that_is_printed_is_read_back(address: PciAddress) -> None:
    assert PciAddress.parse(str(address)) == address


@pytest.mark.parametrize(
    ("text", "printed"),
    [
        ("01:00.0", "0000:01:00.0"),
        ("1:0.0", "0000:01:00.0"),
        ("0000:01:00.0", "0000:01:00.0"),
        ("10000:e1:00.0", "10000:e1:00.0"),
        ("DEADBEEF:00:1F.7", "deadbeef:00:1f.7"),
    ],
)
def test_the_kernel_s_way_of_writing_an_address(text: str, printed: str) -> None:
    assert str(PciAddress.parse(text)) == printed


@pytest.mark.parametrize(
    "text",
    [
        "",
        "01:00",
        "01:00.8",
        "01:20.0",
        "100:00:00.0.0",
        "123456789:00:00.0",
        "0000:01:00.0\n",
        " 01:00.0",
        "axi:gpu",
        "\u0660\u0661:00.0",
    ],
)
def test_what_is_no_address(text: str) -> None:
    assert PciAddress.parse(text) is None


@given(st.lists(ADDRESSES, max_size=8))
def test_names_are_sorted_as_the_kernel_enumerates(found: list[PciAddress]) -> None:
    names = [str(address) for address in found]
    assert sorted(names, key=by_name) == [str(address) for address in sorted(found)]


def test_domains_of_five_digits_come_after_those_of_four() -> None:
    names = ["10000:00:00.0", "axi:gpu", "ffff:00:00.0", "dma10", "dma9"]
    assert sorted(names, key=by_name) == [
        "ffff:00:00.0",
        "10000:00:00.0",
        "axi:gpu",
        "dma9",
        "dma10",
    ]


def test_group_ids_are_sorted_as_numbers() -> None:
    assert sorted(["10", "9", "100", "0"], key=natural_key) == ["0", "9", "10", "100"]
    long = "9" * 5000  # more digits than Python makes a number of
    assert sorted([long, "1" + long, "10"], key=natural_key) == ["10", long, "1" + long]


@given(st.lists(st.text("ab09:.\u0660\xb2", max_size=6), max_size=4))
def test_any_names_can_be_sorted(names: list[str]) -> None:
    backwards = names[::-1]
    keys = [DeviceId(name, Missing.ABSENT) for name in sorted(names, key=by_name)]
    assert keys == [
        DeviceId(name, Missing.ABSENT) for name in sorted(backwards, key=by_name)
    ]


def test_functions_of_one_card_share_a_slot() -> None:
    one, other = PciAddress.parse("01:00.0"), PciAddress.parse("01:00.7")
    assert one is not None
    assert other is not None
    assert one.slot_name == other.slot_name == "0000:01:00"
