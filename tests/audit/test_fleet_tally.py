"""Sums over hosts come out the same, however the hosts are parted; and stay small."""

from __future__ import annotations

from dataclasses import replace
from functools import cache, reduce
from random import Random
from unittest import mock

from hypothesis import given
from hypothesis import strategies as st
from running import read
from shared import FIXTURES

from iommu_inspect.audit.fleet import tally as tallies
from iommu_inspect.audit.fleet.counts import Counts, merged_counts
from iommu_inspect.audit.fleet.row import Change, Changes, Row
from iommu_inspect.audit.fleet.side import Asked, row_of, side_of
from iommu_inspect.audit.fleet.since import changes_between
from iommu_inspect.audit.fleet.tally import Tally, merged, tally_of

MOST = 5
COUNTS = st.dictionaries(
    st.text("abcdefgh", min_size=1, max_size=2),
    st.tuples(st.integers(0, 9), st.integers(0, 9)),
    max_size=12,
).map(lambda kept: merged_counts([Counts(MOST, kept)], MOST))


@given(COUNTS, COUNTS, COUNTS)
def test_counts_are_added_in_any_order_and_grouping(
    a: Counts, b: Counts, c: Counts
) -> None:
    whole = merged_counts([a, b, c], MOST)
    left = merged_counts([merged_counts([a, b], MOST), c], MOST)
    right = merged_counts([a, merged_counts([c, b], MOST)], MOST)
    assert whole == left == right


@given(st.lists(COUNTS, max_size=6))
def test_what_is_kept_is_exact_bounded_and_nothing_is_lost(parts: list[Counts]) -> None:
    whole = merged_counts(parts, MOST)
    assert len(whole.kept) <= MOST
    totals = [part.total() for part in parts if part.total()]
    sums = tuple(map(sum, zip(*totals, strict=True)))
    assert whole.total() == sums
    for key, numbers in whole.kept.items():
        mine = [part.kept[key] for part in parts if key in part.kept]
        assert numbers == tuple(map(sum, zip(*mine, strict=True)))


@cache
def rows() -> tuple[Row, ...]:
    """Return the rows of real hosts, with last times, and of some that are not read."""
    asked = Asked()
    captures = sorted((FIXTURES / "kernels").glob("*.tar.gz"))[:12]
    sides = [side_of(read(path), asked) for path in captures]
    found = [row_of(side, f"host{n}", "x", asked) for n, side in enumerate(sides)]
    found += [Row.unread(f"lost{n}", "x", "it is not there") for n in range(4)]
    changes = [changes_between(sides[n - 1], side, "x") for n, side in enumerate(sides)]
    found += [
        replace(row, host=f"{row.host}b", changes=change)
        for row, change in zip(found, changes, strict=False)
    ]
    gone = replace(found[-1], host="gone", changes=Changes(Change.GONE))
    return (*found, gone)


PARTS = st.lists(
    st.lists(st.integers(0, len(rows()) - 1), max_size=6).map(
        lambda numbers: [tally_of(rows()[n]) for n in numbers]
    ),
    max_size=4,
)


@given(PARTS, st.randoms(use_true_random=False))
def test_hosts_come_to_the_same_whoever_counts_them(
    parts: list[list[Tally]], dice: Random
) -> None:
    """Bounds that are small, so that much is left out on the way."""
    with (
        mock.patch.object(tallies, "MOST_HOSTS", 3),
        mock.patch.object(tallies, "MOST_DEVICES", 4),
        mock.patch.object(tallies, "MOST_RULES", 2),
    ):
        whole = merged([each for part in parts for each in part])
        by_parts = merged([merged(part) for part in parts])
        shuffled = [each for part in parts for each in part]
        dice.shuffle(shuffled)
        one_by_one = reduce(lambda a, b: merged([b, a]), shuffled, Tally())
        assert whole == by_parts == one_by_one
        assert len(whole.worst) <= 3
        assert len(whole.devices.kept) <= 4
    assert whole.count == sum(map(len, parts))


def test_of_no_hosts_there_is_nothing() -> None:
    assert merged([]) == merged([Tally(), merged([])])
    assert merged([]).count == 0


def test_a_host_that_was_not_read_is_none_of_the_good_ones() -> None:
    tally = tally_of(Row.unread("a", "a", "gone"))
    assert tally.hosts == (0, 1, 0, 0)
    assert tally.kernels.kept == {}
