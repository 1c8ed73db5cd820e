"""A table is laid out by tabulate, whoever folds its cells."""

from __future__ import annotations

from unittest import mock

from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect.render import layout
from iommu_inspect.render.layout import Style, table

CELL = st.text(
    alphabet="ab -\t:;(),.0\x1b\N{LATIN SMALL LETTER E WITH ACUTE}中", max_size=40
)


@given(st.lists(st.tuples(CELL, CELL, CELL), max_size=4), st.integers(10, 50))
def test_cells_are_folded_as_tabulate_folds_them(
    rows: list[tuple[str, str, str]], width: int
) -> None:
    headers = ["A", "B", "C"]
    ours = table(headers, rows, Style(width), {}, narrowest=8)
    with mock.patch.object(layout, "_is_simple", lambda *_: False):
        tabulates = table(headers, rows, Style(width), {}, narrowest=8)
    assert ours == tabulates
