"""The document of ``audit``: ``iommu-inspect/audit/1``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from iommu_inspect.audit.advice import Advice
from iommu_inspect.audit.auditing import Audit, Since
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.documents.common import answer_fields, device_fields, head
from iommu_inspect.render.documents.findings import finding_fields

__all__ = ["audit_document"]


def audit_document(
    machine: Machine, semantics: Semantics, result: Audit
) -> dict[str, Any]:
    """Build ``iommu-inspect/audit/1``."""
    inquiry = Inquiry(machine, semantics)
    owners = {group.id: inquiry.ownership(group).value for group in machine.groups}
    return {
        **head("audit", machine, semantics),
        "verdict": result.verdict.value,
        "targets": [
            {
                "target": verdict.target.text,
                "address": verdict.target.device and verdict.target.device.address,
                "group": verdict.target.group and verdict.target.group.id,
                "verdict": verdict.verdict.value,
                "answers": [
                    {"operation": operation, **answer_fields(answer)}
                    for operation, answer in verdict.answers
                ],
            }
            for verdict in result.targets
        ],
        "findings": [finding_fields(finding) for finding in result.findings],
        "purpose": result.purpose.value,
        "ignored": [
            {**finding_fields(ignored.finding), "reason": ignored.by.reason}
            for ignored in result.ignored
        ],
        "summary": [
            {
                "group": prospect.group,
                "devices": [device.address for device in prospect.devices],
                "possible": prospect.possible.value,
                "steps": list(prospect.steps),
                "because": prospect.because,
            }
            for prospect in result.summary
        ],
        "unseen": [
            {
                "fact": each.fact.value,
                "devices": [device.address for device in each.devices],
            }
            for each in result.unseen
        ],
        "advice": _advice_fields(result.advice),
        "baseline": result.since and _since_fields(result.since),
        "devices": [_identity(device, owners) for device in machine.devices],
    }


def _since_fields(since: Since) -> dict[str, Any]:
    return {
        "name": since.name,
        "verdict": since.verdict.value,
        "known": [finding_fields(finding) for finding in since.known],
        "gone": [
            {
                "rule": each.rule,
                "severity": each.severity.value,
                "certainty": each.certainty.value,
                "group": each.group,
                "devices": [str(device) for device in each.devices],
                "message": each.message,
            }
            for each in since.gone
        ],
    }


def _identity(device: Device, owners: Mapping[str, str]) -> dict[str, Any]:
    """Return what a later audit knows a device by, wherever it is then.

    ``ownership`` is that of its group, ``None`` without one.
    """
    fields = device_fields(device)
    ids = ("vendor", "device", "subsystem_vendor", "subsystem_device", "class")
    keys = ("address", "bus", "group", "driver", *ids)
    path = device.path if known(device.path) else None
    group = device.group
    return {
        **{key: fields[key] for key in keys},
        "path": path,
        "ownership": owners.get(group) if isinstance(group, str) else None,
    }


def _advice_fields(advice: Advice) -> dict[str, Any]:
    """Return the advice: decision, steps in order, why there are none, and checks."""
    return {
        "decision": advice.decision and advice.decision.value,
        "steps": list(advice.steps),
        "because": advice.because,
        "then": advice.then,
        "look": [
            {
                "commands": list(look.commands),
                "supposed": look.supposed,
                "otherwise": look.otherwise,
            }
            for look in advice.looks
        ],
        "mending": [
            {"rule": each.rule, "prose": each.prose, "lines": list(each.lines)}
            for each in advice.mending
        ],
    }
