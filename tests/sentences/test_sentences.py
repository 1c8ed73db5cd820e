"""What the program says of many machines, and its tables, change on purpose only.

That a sentence is true other tests say; this one that it is still said, with the same
certainty, the same rule and the same sources. ``python -m tools.sentences`` writes the
files anew: read what changed in them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from sentences.collecting import COLLECTIONS, sentences
from sentences.tables import tables

HERE = Path(__file__).parent


def kept(name: str) -> list[str]:
    return (HERE / f"{name}.txt").read_text(encoding="utf-8").splitlines()


@pytest.mark.parametrize("name", COLLECTIONS)
def test_all_that_was_said_is_said_and_nothing_else(name: str) -> None:
    found, before = sentences(COLLECTIONS[name]), kept(name)
    assert sorted(set(found) - set(before)) == [], "new: python -m tools.sentences"
    assert sorted(set(before) - set(found)) == [], "gone: python -m tools.sentences"


@pytest.mark.parametrize("name", COLLECTIONS)
def test_no_sentence_has_a_word_of_the_program_in_it(name: str) -> None:
    words = re.compile(r"Missing\.|\(its driver\)|<[A-Z]\w+\.|\bTrue\b|\bFalse\b")
    # Where a line is made of signs, they stand before the sentence.
    bad = [s for s in kept(name) if words.search(s.partition(": ")[2])]
    assert bad == []


def test_the_tables_of_the_kernels_rules_are_as_they_were_read() -> None:
    assert list(tables()) == kept("tables")
