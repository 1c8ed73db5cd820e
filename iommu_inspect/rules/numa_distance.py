"""Targets that hang on different NUMA nodes."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.fact import known
from iommu_inspect.model.text import listed
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.base import About, Case, Finding, Rule, Severity

ABOUT = About(
    id="numa-distance",
    summary="devices that go together hang on different NUMA nodes",
    severity=Severity.INFO,
)


def _check(case: Case) -> Iterator[Finding]:
    by_node: dict[int, list[str]] = {}
    devices = [
        (device, device.numa_node)
        for device in case.wanted
        if device.numa_node is not None and known(device.numa_node)
    ]
    for device, node in devices:
        by_node.setdefault(node, []).append(addresses([device]))
    if len(by_node) < 2:
        return
    places = (f"{listed(by_node[n])} on node {n}" for n in sorted(by_node))
    yield case.finding(
        None,
        f"The devices hang on different NUMA nodes: {'; '.join(places)}. One guest "
        "with all of them reaches some through the other processor.",
        "Nothing if they go to different guests. For one guest, give it a virtual "
        "node for each, or pin its memory and processors to the node of the device "
        "that matters.",
        others=(device for device, _ in devices),
    )


RULE = Rule(ABOUT, check_machine=_check)
