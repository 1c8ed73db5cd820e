"""Texts of the shapes that people paste say what they state, and nothing else."""

from __future__ import annotations

import pytest
from pastes import SPOILT, facts
from pastes_nested import ENTRIES, WORDS
from pastes_seen import LISTINGS

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, known
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.text.machine import read_texts

SEEN = {**LISTINGS, **ENTRIES, **WORDS}


def lines_of(text: str) -> list[str]:
    """Return a line a device: address, group, driver, ids."""
    try:
        machine = read_texts([(text, "a test")])
    except SourceError:
        return []
    return sorted(_line(device) for device in machine.devices)


def _line(device: Device) -> str:
    vendor, model = device.ids.vendor, device.ids.device
    ids = f"{vendor:04x}" if known(vendor) else "-"
    ids += f":{model:04x}" if known(model) else ":-"
    address = device.address.removeprefix("0000:")
    return f"{address} {_word(device.group)} {_word(device.driver)} {ids}"


def _word(fact: Fact[str | None]) -> str:
    return (fact or "none") if known(fact) else "-"


@pytest.mark.parametrize("name", SEEN)
def test_what_is_stated_is_read_and_nothing_else(name: str) -> None:
    text, stated = SEEN[name]
    assert lines_of(text) == sorted(stated.splitlines())


@pytest.mark.parametrize("name", SEEN)
@pytest.mark.parametrize("way", SPOILT)
def test_spoilt_they_say_the_same_or_less(name: str, way: str) -> None:
    text, _ = SEEN[name]
    whole = facts(text)
    spoilt = facts(SPOILT[way](text))
    odd = {k: v for k, v in spoilt.items() if k[1] != "whole" and whole.get(k) != v}
    # Where something lost its place, the tree is not known; paths say so.
    assert {k: v for k, v in odd.items() if k[1] != "path"} == {}


@pytest.mark.parametrize("name", SEEN)
def test_cut_off_they_say_the_same_or_less(name: str) -> None:
    text, _ = SEEN[name]
    whole = facts(text)
    wrong = {
        at: odd
        for at in range(len(text))
        if (odd := {k: v for k, v in facts(text[:at]).items() if whole.get(k) != v})
    }
    assert wrong == {}
