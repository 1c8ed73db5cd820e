"""That isolation explains nothing is said only where isolation was seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from builders import group, machine
from examples import each
from placed import CARD1, ON, RP1, at
from running import read
from shared import SHARED, needs_shared

from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.grouping.telling.sharing import Reason, sharing
from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.errors import SourceError

SENTENCE = "isolation as it is now does not explain it"


def reason(one: Device, *others: Device, **more: Any) -> Reason:
    return of(machine(group(one, *others, **more)), one)


def of(whole: Machine, one: Device) -> Reason:
    return sharing(Grouping(whole), one).reasons[0]


def without(one: Device, **facts: Any) -> Device:
    return replace(one, pci=replace(one.pci, **facts))


def test_where_all_was_seen_the_kernels_group_is_not_explained() -> None:
    told = reason(CARD1, RP1)
    assert told.evidence.startswith(SENTENCE)
    assert told.mechanism == "unknown"
    assert told.doubts == ()


CUT = Missing.TRUNCATED


@each(
    "card, port, what, address",
    [
        (CARD1, without(RP1, acs=CUT), "acs", "0000:00:01.0"),
        (CARD1, without(RP1, acs=CUT, pcie_type=CUT), "kind", "0000:00:01.0"),
        (CARD1, replace(RP1, ids=PciIds()), "ids", "0000:00:01.0"),
        (
            CARD1,
            replace(RP1, ids=PciIds(0x8086, 0xA110, class_code=0x060400)),
            "bytes",
            "0000:00:01.0",
        ),
        (
            CARD1,
            replace(
                without(RP1, acs=None),
                ids=PciIds(0x8086, 0x8C10, class_code=0x060400),
            ),
            "log",
            "0000:00:01.0",
        ),
        (
            replace(CARD1, path="sys/bus/pci/devices/0000:01:00.0"),
            RP1,
            "place",
            "0000:01:00.0",
        ),
    ],
)
def test_what_was_not_seen_explains_nothing_and_is_named(
    card: Device, port: Device, what: str, address: str
) -> None:
    told = reason(card, port)
    assert SENTENCE not in told.evidence
    assert told.mechanism == "unknown"
    assert (told.doubts[0].what.value, told.doubts[0].device.address) == (what, address)
    assert address in told.evidence


def test_a_fact_that_changes_nothing_is_not_asked_for() -> None:
    # A function that is alone in its slot needs no ACS, whatever it has.
    hidden = without(CARD1, acs=CUT)
    assert reason(hidden, RP1).evidence.startswith(SENTENCE)


def test_functions_that_a_source_leaves_out_may_be_the_reason() -> None:
    told = reason(CARD1, RP1, whole=False)
    assert "leaves out" in told.evidence
    assert told.doubts


def test_functions_of_one_slot_lack_what_was_not_seen_of_the_slot() -> None:
    several: dict[str, Any] = {"multifunction": True, "acs": CUT}
    one = at("0000:01:00.0", "/0000:00:01.0", **several)
    two = at("0000:01:00.1", "/0000:00:01.0", acs=ON)
    told = reason(one, two)
    # The neighbour isolates: only what was not seen of the first could join them.
    assert told.evidence.startswith(SENTENCE) or told.doubts[0].device is one


@pytest.mark.no_cover
@needs_shared
def test_on_texts_of_real_machines_the_sentence_is_true_where_it_stands() -> None:
    for path in sorted(SHARED.glob("machines/*/lspci*.txt")):
        try:
            whole = read(path)
        except SourceError:
            continue
        found, grouping = recompute(whole), Grouping(whole)
        for one in (d for g in whole.groups for d in g.devices):
            for told in sharing(grouping, one, found).reasons:
                ends = [one.address, told.neighbour.address]
                if told.evidence.startswith(SENTENCE):
                    assert None not in [found.labels[name] for name in ends]
                elif told.mechanism == "unknown" and one.is_pci:
                    assert told.doubts, (path, ends)
