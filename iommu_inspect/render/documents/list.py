"""The JSON document of ``list``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.grouping.making.prediction import Foretold
from iommu_inspect.kernel.ownership.inquiry import Owned
from iommu_inspect.model.device import Device
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.place import Place
from iommu_inspect.model.relations import Relations
from iommu_inspect.render.documents.common import device_fields, group_fields, head
from iommu_inspect.render.foretold import foretold_fields
from iommu_inspect.render.uses import untold_document, uses_document

__all__ = ["list_document"]


def list_document(
    machine: Machine,
    semantics: Semantics,
    groups: Iterable[Owned],
    ungrouped: Iterable[Device],
    found: Foretold | None = None,
) -> dict[str, Any]:
    """Build ``iommu-inspect/list/1`` for the groups and devices given.

    ``found`` is what was predicted, if that was asked.
    """
    relations = Relations(machine)

    def used(devices: Iterable[Device]) -> list[dict[str, Any]]:
        return [
            {
                **device_fields(d),
                "uses": uses_document(machine, relations, d),
                "place": _place(machine.place_of(d)),
            }
            for d in devices
        ]

    return {
        **head("list", machine, semantics),
        "groups": [
            {**group_fields(owned), "devices": used(owned.group.devices)}
            for owned in groups
        ],
        "ungrouped": used(ungrouped),
        **untold_document(machine),
        **foretold_fields(found),
    }


def _place(place: Place) -> dict[str, Any]:
    return {
        "slots": list(place.slots),
        "label": place.label,
        "usb": [{"bus": bus, "ports": count} for bus, count in place.ports],
    }
