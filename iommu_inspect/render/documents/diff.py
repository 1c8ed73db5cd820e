"""The document of ``diff``: ``iommu-inspect/diff/1``."""

from __future__ import annotations

from typing import Any

from iommu_inspect.audit.differences.differing import Differences
from iommu_inspect.audit.differences.matching import Pair
from iommu_inspect.audit.differences.regrouping import Placed, Regrouped
from iommu_inspect.audit.summary import Prospect
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.documents.common import source_fields

__all__ = ["diff_document"]


def diff_document(
    found: Differences, semantics: tuple[Semantics, Semantics]
) -> dict[str, Any]:
    """Build ``iommu-inspect/diff/1``; ``source`` is the later one."""
    return {
        "schema": "iommu-inspect/diff/1",
        "source": source_fields(found.after),
        "before": _side(found.before, semantics[0]),
        "after": _side(found.after, semantics[1]),
        "purpose": found.purpose.value,
        "same": found.same,
        "groups": [_regrouped(each) for each in found.groups],
        "ungrouped": [_placed(each) for each in found.ungrouped],
        "grouped": [_placed(each) for each in found.grouped],
        "verdicts": [
            {
                "change": "worse" if each.worse else "better",
                "before": _prospect(each.before),
                "after": _prospect(each.after),
                "devices": [_placed(placed) for placed in each.members],
            }
            for each in found.prospects
        ],
        "ownership": [
            {
                "before": each.before.value,
                "after": each.after.value,
                "devices": [_placed(placed) for placed in each.members],
            }
            for each in found.owners
        ],
        "drivers": [
            {"before": each.before, "after": each.after, "device": _pair(each.pair)}
            for each in found.drivers
        ],
        "added": [_device(device, found.after) for device in found.added],
        "removed": [_device(device, found.before) for device in found.removed],
        "shifted": [_pair(pair) for pair in found.shifted],
        "alike": [
            {
                "before": [device.address for device in each.before],
                "after": [device.address for device in each.after],
                "because": "alike" if each.told_apart else "ids-not-shown",
            }
            for each in found.alike
        ],
        "settings": [
            {
                "name": each.name,
                "before": list(each.before),
                "after": list(each.after),
            }
            for each in found.settings
        ],
        "uncompared": [
            {
                "what": each.what.value,
                "not_shown_by": each.side.value,
                "devices": [device.address for device in each.devices],
                "lacking": list(each.lacking),
            }
            for each in found.uncompared
        ],
        "by_address": [_pair(pair) for pair in found.matching.by_address],
    }


def _side(machine: Machine, semantics: Semantics) -> dict[str, Any]:
    return {
        **source_fields(machine),
        "semantics": semantics.label,
        "semantics_basis": semantics.basis,
        "groups": len(machine.groups) if machine.groups_known else None,
        "devices": sum(1 for _ in machine.devices),
    }


def _regrouped(each: Regrouped) -> dict[str, Any]:
    return {
        "change": each.kind.value,
        "before": [_group(group) for group in each.before],
        "after": [_group(group) for group in each.after],
        "moved": [_placed(placed) for placed in each.moved],
        "joined": [device.address for device in each.joined],
        "left": [device.address for device in each.left],
    }


def _group(group: Group) -> dict[str, Any]:
    return {"id": group.id, "devices": [device.address for device in group.devices]}


def _placed(each: Placed) -> dict[str, Any]:
    return {
        **_pair(each.pair),
        "group_before": each.before and each.before.id,
        "group_after": each.after and each.after.id,
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "address_before": pair.before.address,
        "address_after": pair.after.address,
        "ids": pair.after.ids.pair or pair.before.ids.pair,
    }


def _device(device: Device, machine: Machine) -> dict[str, Any]:
    group = machine.group_of(device)
    return {
        "address": device.address,
        "ids": device.ids.pair,
        "name": device.name,
        "group": group and group.id,
        "driver": device.driver if known(device.driver) else None,
    }


def _prospect(prospect: Prospect) -> dict[str, Any]:
    return {
        "possible": prospect.possible.value,
        "steps": list(prospect.steps),
        "because": prospect.because,
    }
