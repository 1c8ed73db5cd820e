"""Captures of machines that nobody here has: all are read, with their groups."""

from __future__ import annotations

from shared import needs_shared

from tools.corpus.reading import outcomes


@needs_shared
def test_every_capture_is_read_and_states_the_groups_that_it_states() -> None:
    found = list(outcomes())
    assert len(found) > 100
    assert [f"{each.name}: {each.verdict}" for each in found if each.is_wrong] == []
    equal = [each.name for each in found if each.verdict == "equal"]
    assert len(equal) >= 46
    joined = next(e for e in found if e.name.startswith("laptop-lenovo-21g2"))
    assert (joined.kinds, joined.groups, joined.drivers) == ("dmesg+lspci", 19, 23)
