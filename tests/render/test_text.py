"""Text that is safe to print and fits."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iommu_inspect.model.text import printable
from iommu_inspect.render.documents.common import to_json
from iommu_inspect.render.layout import PLAIN, Style, table
from iommu_inspect.render.text import fold


@given(st.text(st.characters()))
def test_nothing_that_a_terminal_obeys_is_left(text: str) -> None:
    shown = printable(text)
    assert not any(unicodedata.category(c)[0] == "C" for c in shown)
    assert len(shown.splitlines()) <= 1
    shown.encode("utf-8")


@given(st.text(st.characters(categories=["L", "N", "P", "S"])))
def test_what_can_be_read_stays_as_it_is(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("a\nb\tc", "a\\x0ab\\x09c"),
        ("\x9b2J", "\\x9b2J"),  # one byte that terminals take for ESC [
        ("\u202eabc", "\\u202eabc"),
        ("\u2028", "\\u2028"),
        ("\udcff", "\\xff"),  # a byte that was no UTF-8
        ("\U000e0001", "\\U000e0001"),
        ("Gerät", "Gerät"),
    ],
)
def test_how_control_characters_are_shown(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("caf\udce9", "caf\\xe9"),
        ("\ud800\udc00x", "\\ud800\\udc00x"),  # JSON can name halves of characters
        ("Ger\u00e4t \U0001f600", "Ger\u00e4t \U0001f600"),
    ],
)
def test_json_holds_no_halves_of_characters(text: str, written: str) -> None:
    assert json.loads(to_json({"key": [text]})) == {"key": [written]}


@given(st.text(), st.integers(20, 120))
def test_folded_lines_fit_unless_a_word_does_not(text: str, width: int) -> None:
    for line in fold(text, width, "  ").splitlines():
        assert len(line) <= width or " " not in line.strip(" ")


def test_words_are_not_torn() -> None:
    text = "vfio-pci echo /sys/bus/pci/devices/0000:01:00.0/driver_override"
    assert fold(text, 20).split() == text.split()


def test_a_table_folds_its_last_column_only() -> None:
    text = table(
        ["A", "B"], [["one-long-name", "several words to fold"]], Style(32), {}
    )
    assert text.splitlines() == [
        "A              B",
        "one-long-name  several words to",
        "               fold",
    ]


def test_a_table_does_not_take_names_for_numbers() -> None:
    assert "0010" in table(["A", "B"], [["0010", "1e5"]], PLAIN, {})
    assert "1e5" in table(["A", "B"], [["0010", "1e5"]], PLAIN, {})


def test_colours_change_nothing_but_colours() -> None:
    rows = [["1", "conflict", "x"], ["", "", "conflict of words"], ["2", "user", "y"]]
    colours = {1: {"conflict": "red", "user": "green"}}
    painted = table(
        ["G", "O", "D"], rows, Style(80, lambda t, c: f"<{c}>{t}</>"), colours
    )
    plain = table(["G", "O", "D"], rows, PLAIN, colours)
    assert painted.count("<red>conflict</>") == 1
    assert painted.count("<green>user</>") == 1
    for tag in ("<red>", "<green>", "</>"):
        painted = painted.replace(tag, "")
    assert painted == plain


def test_a_table_of_nothing_is_its_headers() -> None:
    assert table(["A", "B"], [], PLAIN, {}).split() == ["A", "B"]


def test_a_newline_in_a_cell_makes_no_row() -> None:
    assert len(table(["A", "B"], [["x\ny", "z"]], PLAIN, {}).splitlines()) == 2
