"""The document of a host of many: ``iommu-inspect/fleet/1``, a line each."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from iommu_inspect.audit.fleet.row import Changes, Held, Holding, Moved, Row
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.render.documents.common import without_surrogates

__all__ = ["fleet_document", "fleet_line"]


def fleet_line(row: Row) -> str:
    """Return the document as one line of ASCII, without its end."""
    return json.dumps(without_surrogates(fleet_document(row)), separators=(",", ":"))


def fleet_document(row: Row) -> dict[str, Any]:
    """Build ``iommu-inspect/fleet/1``."""
    return {
        "schema": "iommu-inspect/fleet/1",
        "host": row.host,
        "path": row.path,
        "verdict": row.verdict.value,
        "read": row.read,
        "because": row.because,
        "kind": row.kind,
        "kernel": row.kernel,
        "semantics": row.semantics,
        "purpose": row.purpose.value,
        "findings": [
            {
                "rule": found.rule,
                "severity": found.severity.value,
                "certainty": found.certainty.value,
                "group": found.group,
                "devices": _names(found.devices),
                "message": found.message,
            }
            for found in row.findings
        ],
        "ignored": row.ignored,
        "unseen": list(row.unseen),
        "groups": [_holding(each) for each in row.groups],
        "devices": [_held(each) for each in row.devices],
        "changes": row.changes and _changes(row.changes),
    }


def _holding(group: Holding) -> dict[str, Any]:
    return {
        "id": group.id,
        "ownership": group.ownership.value,
        "possible": group.possible and group.possible.value,
        "devices": _names(group.devices),
    }


def _held(held: Held) -> dict[str, Any]:
    return {
        "address": str(held.id),
        "ids": held.ids,
        "class": held.code,
        "driver": held.driver,
        "group": held.group,
        "ownership": held.ownership.value,
    }


def _changes(changes: Changes) -> dict[str, Any]:
    return {
        "change": changes.change.value,
        "before": changes.before,
        "verdict": changes.verdict and changes.verdict.value,
        "groups": [_moved(each) for each in changes.groups],
        "ungrouped": _names(changes.ungrouped),
        "grouped": _names(changes.grouped),
        "added": _names(changes.added),
        "removed": _names(changes.removed),
        "rules": list(changes.rules),
        "cured": list(changes.cured),
    }


def _moved(moved: Moved) -> dict[str, Any]:
    return {
        "kind": moved.kind.value,
        "before": list(moved.before),
        "after": list(moved.after),
        "devices": _names(moved.devices),
    }


def _names(devices: Iterable[DeviceId]) -> list[str]:
    return [str(device) for device in devices]
