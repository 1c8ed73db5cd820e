"""The document of ``why``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.grouping.acs.quirks import REQUIRED_ACS
from iommu_inspect.kernel.grouping.growth import Growth
from iommu_inspect.kernel.grouping.telling.sharing import Hop, Pair, Sharing
from iommu_inspect.model.fact import Missing, known, value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.documents.common import head
from iommu_inspect.render.documents.missing import doubt_fields, look_fields, look_of

__all__ = ["why_document"]

_GROWS = {True: "yes", False: "no", None: "unknown"}


def why_document(
    machine: Machine,
    semantics: Semantics,
    answers: Sequence[tuple[Sharing, Growth | None]],
    pairs: Sequence[Pair] = (),
) -> dict[str, Any]:
    """Build ``iommu-inspect/why/1``: the first device's fields, then all of them."""
    devices = [_answer(found, grows) for found, grows in answers]
    first = devices[0] if devices else {}
    return {
        **head("why", machine, semantics),
        **first,
        "devices": devices,
        "pairs": [_pair(pair) for pair in pairs],
        **look_fields(look_of(answers, pairs)),
    }


def _pair(pair: Pair) -> dict[str, Any]:
    return {
        "devices": [pair.one.address, pair.other.address],
        "share_group": pair.shared,
        "mechanism": pair.mechanism,
        "at": pair.at.address if pair.at else None,
        "evidence": pair.evidence,
        "missing": doubt_fields(pair.doubts),
    }


def _answer(found: Sharing, grows: Growth | None) -> dict[str, Any]:
    group = found.group
    return {
        "address": found.device.address,
        "group": group.id if group else None,
        "members": [d.address for d in group.devices] if group else [],
        "path": [_hop(hop) for hop in found.path],
        "reasons": [
            {
                "with": reason.neighbour.address,
                "mechanism": reason.mechanism,
                "at": reason.at.address if reason.at else None,
                "evidence": reason.evidence,
                "missing": doubt_fields(reason.doubts),
            }
            for reason in found.reasons
        ],
        "recomputed": {
            "agrees": found.recomputed.agrees,
            "because": found.recomputed.because,
            "suspects": list(found.suspects),
        },
        "growth": {
            "can_grow": _GROWS[grows.can_grow if grows else None],
            "through": _ways(grows, told=True),
            "untold": _ways(grows, told=False),
        },
    }


def _ways(grows: Growth | None, *, told: bool) -> list[dict[str, str]]:
    if grows is None:
        return []
    ways = grows.through if told else grows.untold
    return [{"address": way.address, "how": way.how} for way in ways]


def _hop(hop: Hop) -> dict[str, Any]:
    acs = hop.device.pci.acs
    seen = value_or(acs, None)
    return {
        "address": hop.device.address,
        "pcie_type": _known(hop.device.pci.pcie_type),
        "isolates": hop.isolates,
        "acs_required": f"{REQUIRED_ACS:04x}",
        "acs_present": f"{seen.capability:04x}" if seen else None,
        "acs_enabled": f"{seen.control:04x}" if seen else None,
        "loses_isolation": hop.loses,
        "acs_needed": hop.needs_acs,
        "acs_off_because": hop.off,
        "missing": {} if known(acs) else {"acs": acs.value},
    }


def _known(kind: int | Missing | None) -> int | None:
    return kind if known(kind) else None
