"""A whole host: what could be handed over now, after a step, or never."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from builders import BEFORE_5_19, SINCE_6_6, device, group, machine, only
from examples import each
from running import document
from shared import SYSFS

from iommu_inspect.audit.auditing import audit
from iommu_inspect.audit.summary import Prospect
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import ReservedRegion
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.finding import Purpose

NOW = group(device("0000:01:00.0", "vfio-pci"))
AFTER = group(device("0000:02:00.0", "ahci", group="2"), id="2")
MIXED = group(
    device("0000:03:00.0", "vfio-pci", group="3"),
    device("0000:03:00.1", "ahci", group="3"),
    id="3",
)
NEVER = group(
    device("0000:04:00.0", "ahci", group="4"),
    id="4",
    regions=(ReservedRegion(0x1000, 0x1FFF, "direct"),),
)
UNTOLD = group(device("0000:05:00.0", Missing.DENIED, group="5"), id="5")
BRIDGE = group(device("0000:00:01.0", "pcieport", group="6", bridge=True), id="6")


def prospects(host: Machine, purpose: Purpose = Purpose.VFIO) -> tuple[Prospect, ...]:
    return audit(host, only(SINCE_6_6), purpose=purpose).summary


@pytest.mark.parametrize(
    ("found", "possible", "steps"),
    [
        (NOW, "now", ()),
        (AFTER, "after", ("bind 0000:02:00.0 to vfio-pci",)),
        (MIXED, "after", ("bind 0000:03:00.1 to vfio-pci",)),
        (NEVER, "never", ("leave 0000:04:00.0 to the host",)),
    ],
)
def test_each_group_is_judged_for_itself(
    found: object, possible: str, steps: tuple[str, ...]
) -> None:
    host = machine(NOW, AFTER, MIXED, NEVER, UNTOLD, BRIDGE)
    (prospect,) = (p for p in prospects(host) if p.group == getattr(found, "id", None))
    assert (prospect.possible.value, prospect.steps) == (possible, steps)


def test_a_driver_that_is_not_told_is_no_promise() -> None:
    (prospect,) = prospects(machine(UNTOLD))
    assert prospect.possible.value == "unknown"
    assert prospect.steps or prospect.because


def test_bridges_are_nobodys_wish() -> None:
    assert prospects(machine(BRIDGE)) == ()


def test_with_targets_there_is_no_summary() -> None:
    from iommu_inspect.model.asked.target import find_target

    host = machine(NOW, AFTER)
    targets = (find_target(host, "group:2"),)
    assert audit(host, only(SINCE_6_6), targets).summary == ()


def test_a_device_without_a_group_is_in_it_too() -> None:
    lonely = device("0000:09:00.0", "ahci", group=None)
    found = prospects(machine(NOW, ungrouped=[lonely]))
    assert [(p.group, p.possible.value) for p in found] == [
        ("1", "now"),
        (None, "never"),
    ]


def test_it_changes_no_verdict() -> None:
    host = machine(AFTER, NEVER)
    assert audit(host, only(SINCE_6_6)).verdict.value == "ready"


def test_one_per_group_leaves_bridges_out_and_counts_functions() -> None:
    below = group(
        device("0000:07:00.0", "vfio-pci", group="7"),
        device("0000:00:02.0", "pcieport", group="7", bridge=True),
        id="7",
    )
    pair = group(
        device("0000:08:00.0", "vfio-pci", group="8"),
        device("0000:08:00.1", "vfio-pci", group="8"),
        id="8",
    )
    found = prospects(machine(below, pair), Purpose.ONE_PER_GROUP)
    assert [p.possible.value for p in found] == ["now", "never"]
    assert [p.possible.value for p in prospects(machine(below, pair))] == ["now"] * 2


def test_attach_asks_for_a_group_of_one_and_not_for_drivers() -> None:
    found = prospects(machine(AFTER, MIXED, UNTOLD), Purpose.ATTACH)
    assert [p.possible.value for p in found] == ["now", "never", "now"]


def trees() -> Iterator[str]:
    yield from sorted(p.name for p in SYSFS.iterdir() if p.is_dir())


@pytest.mark.no_cover
@pytest.mark.parametrize("purpose", [p.value for p in Purpose])
@pytest.mark.parametrize("strict", [(), ("--strict",)], ids=["", "strict"])
@each("tree", list(trees()))
def test_the_summary_says_what_an_audit_of_each_group_says(
    tree: str, purpose: str, strict: tuple[str, ...]
) -> None:
    """Most rules are asked for all of them at once; none may profit from another."""
    words = ("--for", purpose, *strict, "--from", str(SYSFS / tree))
    for entry in document("audit", *words)["summary"]:
        target = f"group:{entry['group']}" if entry["group"] else entry["devices"][0]
        alone = document("audit", target, *words)
        verdict = alone["verdict"]
        moves = alone["advice"]["decision"] == "moves"
        moves = moves and not alone["advice"]["look"]
        if purpose != "attach" and entry["group"] and not strict:
            assert not moves or entry["possible"] in ("after", "unknown"), entry
            if entry["possible"] == "never":
                assert not alone["advice"]["steps"], entry
        assert (verdict == "ready") is (entry["possible"] == "now"), entry
        if entry["possible"] in ("after", "never"):
            assert verdict == "blocked", entry


def test_old_kernels_too() -> None:
    found = audit(machine(MIXED), only(BEFORE_5_19)).summary
    assert [p.possible.value for p in found] == ["after"]
