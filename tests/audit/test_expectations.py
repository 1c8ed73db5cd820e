"""Files of --expect: what they may say, and what is refused with its line."""

from __future__ import annotations

import pytest

from iommu_inspect.audit.expectations import parse_expectations
from iommu_inspect.model.asked.expectation import Expectation
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.pci.address import PciAddress


def pairs(text: str) -> list[str]:
    return [f"{e.address} {e.ids}" for e in parse_expectations(text, "cards.txt")]


def test_pairs_come_sorted_by_address_and_comments_are_left_out() -> None:
    text = "# ours\n\n10000:e1:00.0|8086:0A54\r\n01:00.0\t0x10de:1e04 # GPU\n"
    assert pairs(text) == ["0000:01:00.0 10de:1e04", "10000:e1:00.0 8086:0a54"]


def test_a_pair_that_is_said_twice_counts_once() -> None:
    assert pairs("01:00.0 10de:1e04\n0000:01:00.0|10de:1e04\n") == [
        "0000:01:00.0 10de:1e04"
    ]


def test_an_empty_file_expects_nothing() -> None:
    assert parse_expectations("# nothing yet\n", "cards.txt") == ()


@pytest.mark.parametrize(
    "line",
    [
        "01:00.0",
        "10de:1e04",
        "10de:1e04 01:00.0",
        "01:00.0 10de:1e04 GPU",
        "01:00.0 10de",
        "01:00.0 10de:1e04f",
        "01:00.8 10de:1e04",
        "01:00.0 || 10de:1e04",
        "|",
    ],
)
def test_a_line_that_is_no_pair_is_refused_with_its_number(line: str) -> None:
    with pytest.raises(BadRequestError) as error:
        parse_expectations(f"# cards\n{line}\n", "cards.txt")
    assert str(error.value).startswith("cards.txt, line 2: ")
    assert "0000:01:00.0 10de:1e04" in str(error.value)


def test_two_devices_at_one_address_are_refused() -> None:
    with pytest.raises(BadRequestError, match=r"line 2: .* on line 1"):
        parse_expectations("01:00.0 10de:1e04\n01:00.0 10de:1e05\n", "cards.txt")


def test_ids_are_written_as_lspci_writes_them() -> None:
    (found,) = parse_expectations("01:00.0 001b:00A1", "x")
    assert found == Expectation(PciAddress(0, 1, 0, 0), 0x1B, 0xA1)
    assert found.ids == "001b:00a1"
