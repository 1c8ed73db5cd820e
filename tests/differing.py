"""Hosts that are trees of bridges and cards, and two of them held together."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from builders import SINCE_6_6, machine, only

from iommu_inspect.audit.differences.differing import Differences, differences
from iommu_inspect.model.device import Device, PciIds, PciPlacement
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source


@dataclass(frozen=True)
class Card:
    """One function: ids, driver, the name of its group. ``below`` makes it a bridge."""

    slot: int
    device: int
    driver: str | None = None
    group: str = ""
    below: tuple[Card, ...] | None = None
    function: int = 0


def host(cards: Sequence[Card], *, shown: bool = True, **more: Any) -> Machine:
    """Number the buses as firmware does, depth first, and return the machine.

    ``shown`` is false for a listing: addresses, groups and ids, and no tree.
    """
    found: list[Device] = []
    last = 0

    def walk(on: Iterable[Card], bus: int, path: str) -> None:
        nonlocal last
        for card in on:
            address = f"0000:{bus:02x}:{card.slot:02x}.{card.function}"
            here = f"{path}/{address}"
            found.append(_function(card, address, here if shown else None))
            if card.below is not None:
                last += 1
                walk(card.below, last, here)

    walk(cards, 0, "sys/devices/pci0000:00")
    groups: dict[str, list[Device]] = {}
    for each in found:
        groups.setdefault(str(each.group), []).append(each)
    if not shown:
        more["source"] = Source("listing", "a listing")
    made = machine(
        *(Group(n, tuple(d), "DMA", reserved_regions=()) for n, d in groups.items())
    )
    return replace(made, **more)


def _function(card: Card, address: str, path: str | None) -> Device:
    bridge = card.below is not None
    return Device(
        DeviceId(address, "pci"),
        path=path or Missing.ABSENT,
        driver=("pcieport" if bridge else card.driver) if path else Missing.ABSENT,
        group=card.group or address,
        ids=PciIds(
            0x8086,
            card.device,
            0x1043,
            0x0001,
            class_code=0x060400 if bridge else 0x020000,
        ),
        pci=PciPlacement(int(bridge), False, physfn=None, virtfns=(), acs=None),
        driver_override=None,
    )


def compared(before: Machine, after: Machine) -> Differences:
    rules = only(SINCE_6_6)
    return differences(before, after, (rules, rules))


def renumbered(host: Machine, ids: Mapping[str, str]) -> Machine:
    """Give groups other ids."""
    groups = [
        replace(
            group,
            id=ids[group.id],
            devices=tuple(replace(d, group=ids[group.id]) for d in group.devices),
        )
        for group in host.groups
    ]
    return replace(host, groups=tuple(sorted(groups, key=lambda g: g.id)))


def seen(found: Differences, *, backwards: bool = False) -> dict[str, Any]:
    """Return all that differs, as seen from the one side or from the other."""
    from iommu_inspect.render.documents.diff import diff_document

    rules = only(SINCE_6_6)
    document = diff_document(found, (rules, rules))
    for key in ("schema", "source", "purpose", "same"):
        del document[key]
    for each in document["uncompared"]:  # named by their address after
        each["devices"] = len(each["devices"])
    result: dict[str, Any] = _sorted(_backwards(document) if backwards else document)
    return result


_OPPOSITE = {
    "merged": "split",
    "grown": "shrunk",
    "worse": "better",
    "before": "after",
    "added": "removed",
    "joined": "left",
    "ungrouped": "grouped",
    "address_before": "address_after",
    "group_before": "group_after",
}
_OPPOSITE |= {there: here for here, there in _OPPOSITE.items()}


def _backwards(value: Any) -> Any:
    if isinstance(value, list):
        return [_backwards(each) for each in value]
    if not isinstance(value, dict):
        return value
    found = {_OPPOSITE.get(k, k): _backwards(v) for k, v in value.items()}
    for key in found.keys() & {"change", "not_shown_by"}:
        found[key] = _OPPOSITE.get(found[key], found[key])
    return found


def _sorted(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _sorted(each) for key, each in sorted(value.items())}
    if isinstance(value, list):
        return sorted((_sorted(each) for each in value), key=repr)
    return value


def tree_of_links(groups: Mapping[str, Iterable[str]], where: Path) -> Path:
    """Write the links that ``find /sys/kernel/iommu_groups -type l`` names."""
    for name, devices in groups.items():
        folder = where / "sys/kernel/iommu_groups" / name / "devices"
        folder.mkdir(parents=True)
        for device in devices:
            (folder / device).symlink_to(f"../../../../devices/{device}")
    return where
