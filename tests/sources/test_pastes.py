"""What happens to texts on their way to us changes nothing that they say."""

from __future__ import annotations

import itertools
import random
import re
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from pastes import HARMLESS, OTHERS, SPOILT, TEXTS, facts, unindented
from shared import SHARED, needs_shared

Facts = dict[tuple[str, str], object]

EVERY = {**TEXTS, **OTHERS}
# They show two states, or two machines: a part contradicts itself less.
CONTRADICTORY = frozenset(
    {
        "arm-tegra-smmu",
        "desktop-gigabyte-b760m-alderlake-acs-groups",
        "desktop-x99-i7-5930k-regression",
        "r-two-groups",
    }
)
REAL = sorted(
    path
    for pattern in ("machines/*/*.txt", "iommu_tools/*.txt", "field/*/input.txt")
    for path in SHARED.glob(pattern)
    if path.stat().st_size < 70_000 and path.parent.name not in CONTRADICTORY
)


def beyond(found: Facts, known: Facts) -> Facts:
    """Return the facts that are not among those that are known."""
    return {k: v for k, v in found.items() if k not in known or known[k] != v}


@pytest.mark.parametrize("name", EVERY)
def test_every_form_is_read(name: str) -> None:
    found = facts(EVERY[name])
    assert {address for address, _ in found} >= {"0000:01:00.0"}, found
    assert found.get(("0000:01:00.0", "ids.vendor"), 0x10DE) == 0x10DE


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("way", SPOILT)
def test_a_spoilt_text_says_the_same_or_less(name: str, way: str) -> None:
    odd = beyond(facts(SPOILT[way](EVERY[name])), facts(EVERY[name]))
    # What stands behind a text shows that nothing was cut off.
    assert {key: value for key, value in odd.items() if key[1] != "whole"} == {}


@pytest.mark.parametrize("name", EVERY)
@pytest.mark.parametrize("way", HARMLESS)
def test_what_the_way_added_is_taken_off(name: str, way: str) -> None:
    text = EVERY[name]
    assert beyond(facts(text), facts(SPOILT[way](text))) == {}


@pytest.mark.parametrize("name", ["lspci -vvvnnk", "the wiki's loop", "Unraid"])
def test_groups_drivers_and_ids_need_no_indentation(name: str) -> None:
    text = EVERY[name]
    lost = beyond(facts(text), facts(unindented(text)))
    assert {field for _, field in lost} <= {"whole"}


@pytest.mark.parametrize("name", EVERY)
def test_a_text_that_is_cut_off_says_the_same_or_less(name: str) -> None:
    text = EVERY[name]
    whole = facts(text)
    # Around the ends of words and lines, and some places in between.
    edges = {m.start() + d for m in re.finditer(r"\W+", text) for d in (0, 1)}
    places = sorted(edges & set(range(0, len(text), 2)) | set(range(0, len(text), 9)))
    wrong = {at: odd for at in places if (odd := beyond(facts(text[:at]), whole))}
    assert wrong == {}


@pytest.mark.parametrize(("one", "other"), list(itertools.permutations(TEXTS, 2)))
def test_two_texts_say_together_what_each_says(one: str, other: str) -> None:
    together = facts(TEXTS[one], TEXTS[other])
    apart = {**facts(TEXTS[one]), **facts(TEXTS[other])}
    lost = {key: v for key, v in beyond(apart, together).items() if key[1] != "whole"}
    assert lost == {}
    assert facts(TEXTS[other], TEXTS[one]) == together
    joined = facts(f"{TEXTS[one]}\n$ lspci\n{TEXTS[other]}")
    differ = {**beyond(joined, together), **beyond(together, joined)}
    # Where something follows a list, its end was not cut off.
    assert {field for _, field in differ} <= {"whole"}


@given(st.integers(0, 1 << 32))
@example(0)
def test_the_order_of_parts_does_not_matter(seed: int) -> None:
    dice = random.Random(seed)
    parts = dice.sample(sorted(TEXTS.values()), 4)
    ordered = "\n\n$ ls\n".join([*parts, ""])
    shuffled = "\n\n$ ls\n".join([*dice.sample(parts, len(parts)), ""])
    assert facts(ordered) == facts(shuffled)


@needs_shared
@given(st.sampled_from(REAL) if REAL else st.nothing(), st.sampled_from(sorted(SPOILT)))
def test_spoilt_texts_of_real_machines_say_the_same_or_less(
    path: Path, way: str
) -> None:
    # With an empty line behind it, a text is known not to be cut off.
    text = path.read_text(errors="replace") + "\n\n"
    odd = beyond(facts(SPOILT[way](text)), facts(text))
    assert {key: value for key, value in odd.items() if key[1] != "whole"} == {}


@needs_shared
@given(st.sampled_from(REAL) if REAL else st.nothing(), st.floats(0, 1))
def test_cut_texts_of_real_machines_say_the_same_or_less(
    path: Path, where: float
) -> None:
    text = path.read_text(errors="replace")
    at = int(len(text) * where)
    assert beyond(facts(text[:at]), facts(text)) == {}
