"""A finding and its cures, as the documents have them."""

from __future__ import annotations

import dataclasses
from typing import Any

from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.rules import _cures as cures
from iommu_inspect.rules.finding import Finding

__all__ = ["finding_fields"]

_NAMES: dict[type[cures.Cure], str] = {
    cures.Look: "look",
    cures.AnotherSlot: "another-slot",
    cures.SetParameter: "set-parameter",
    cures.LoadModule: "load-module",
    cures.StopUsing: "stop-using",
    cures.ByAddress: "by-address",
    cures.ProbeAgain: "probe-again",
    cures.ClearOverride: "clear-override",
    cures.RemoveVirtualFunctions: "remove-virtual-functions",
    cures.WriteLine: "write-line",
    cures.TakeSnapshot: "take-snapshot",
}


def finding_fields(finding: Finding) -> dict[str, Any]:
    """Return a finding, with what would cure it as data."""
    return {
        "rule": finding.rule,
        "severity": finding.severity.value,
        "certainty": finding.certainty.value,
        "group": finding.group,
        "devices": [str(device) for device in finding.devices],
        "message": finding.message,
        "remedy": finding.remedy,
        "cures": [_cure_fields(cure) for cure in finding.cures],
        "step": finding.step,
        "final": finding.final,
        "references": list(finding.references),
    }


def _cure_fields(cure: cures.Cure) -> dict[str, Any]:
    """Return a cure: its kind, and what it is about."""
    fields: dict[str, Any] = {"cure": _NAMES[type(cure)]}
    for field in dataclasses.fields(cure):
        value = getattr(cure, field.name)
        if isinstance(value, DeviceId):
            value = value.name
        elif isinstance(value, cures.Looking | UseKind):
            value = value.value
        fields[field.name] = value
    return fields
