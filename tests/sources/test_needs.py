"""Which devices a thing of many parts needs: a table of truth over small sets."""

from __future__ import annotations

from itertools import chain, combinations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect.model.fact import Fact, Missing, known
from iommu_inspect.sources.host.needs import Needs, all_of, any_of, locator, spared

A, B, C = (("a",),), (("b",),), (("c",),)


def survives(needs: Fact[Needs], gone: set[str]) -> bool:
    assert known(needs)
    return all(set(some) - gone for some in needs)


def every_loss(names: str) -> list[set[str]]:
    sizes = range(len(names) + 1)
    return [set(s) for s in chain(*(combinations(names, n) for n in sizes))]


@given(st.integers(0, 3), st.integers(1, 4))
def test_an_array_outlives_as_many_losses_as_it_has_spares(spare: int, n: int) -> None:
    names = "abcd"[:n]
    needs = spared([((name,),) for name in names], spare)
    for gone in every_loss(names):
        lives = len(gone) <= spare and len(gone) < n
        assert survives(needs, gone) is lives or not gone


def test_a_mirror_of_stripes_needs_one_stripe() -> None:
    stripe = all_of([A, B])
    needs = any_of([stripe, C])
    for gone in every_loss("abc"):
        assert survives(needs, gone) is (not gone & {"a", "b"} or "c" not in gone)


def test_two_halves_of_a_mirror_on_one_controller_are_one_loss() -> None:
    assert any_of([A, A]) == A


def test_what_needs_nothing_keeps_a_mirror_alive() -> None:
    assert any_of([A, ()]) == ()
    assert all_of([A, ()]) == A


@pytest.mark.parametrize("why", list(Missing))
def test_a_part_that_is_not_known_spoils_the_whole(why: Missing) -> None:
    assert all_of([A, why]) is why
    assert any_of([A, why]) is why


def test_a_capture_cannot_make_it_multiply() -> None:
    """A hostile stack: two to the power of twenty sets, if they were all made."""
    wide = all_of([((f"{n}",),) for n in range(20)])
    needs = spared([wide] * 20, 15)
    assert needs == wide  # all of them needed: the careful answer


def test_a_function_that_is_not_among_the_known_ones_is_not_passed_over() -> None:
    bridge = "sys/devices/pci0000:00/0000:00:1c.0"
    locate = locator([bridge])
    assert locate(f"{bridge}/0000:01:00.0/nvme/nvme0") is Missing.ABSENT
    assert locate(f"{bridge}/pci_express") == bridge
    assert locate("sys/devices/virtual/block/dm-0") is None
