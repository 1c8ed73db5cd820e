"""One result of SARIF: a finding, whether it is new, and whether it is set aside."""

from __future__ import annotations

from typing import Any

from iommu_inspect.audit.known import Known
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import printable
from iommu_inspect.render.machines.sarif_places import message, place, related
from iommu_inspect.render.machines.sarif_rules import LEVELS
from iommu_inspect.rules.finding import Finding

__all__ = ["Told", "result_fields"]

_MARK = "iommuInspect/v1"
# GitHub's code scanning asks for this one.
_LINE = "primaryLocationLineHash"


@dataclass(frozen=True, slots=True)
class Told:
    """A finding, and what is said of it.

    ``state`` is the baseline's word for it, ``None`` without a baseline; ``whole`` is
    the finding of this run; ``excuse`` the reason why somebody ignores it.
    """

    finding: Known
    state: str | None = None
    whole: Finding | None = None
    excuse: str | None = None


def result_fields(
    told: Told, machine: Machine, rule_index: int, mark: str
) -> dict[str, Any]:
    """Return a result.

    It is always of the kind "fail": with "open", which would be the word for what
    cannot be told, SARIF allows no level (3.27.9), and a gate that counts errors would
    pass what nobody knows. ``certainty`` among its properties says it.
    """
    finding, whole = told.finding, told.whole
    words = finding.message if whole is None else f"{finding.message}\n{whole.remedy}"
    fields: dict[str, Any] = {
        "ruleId": finding.rule,
        "ruleIndex": rule_index,
        "kind": "fail",
        "level": LEVELS[finding.severity],
        "message": message(words),
        "locations": [place(finding.devices, machine)],
        "partialFingerprints": {_MARK: mark, _LINE: mark},
    }
    if others := related(finding.devices, machine):
        fields["relatedLocations"] = others
    if told.state is not None:
        fields["baselineState"] = told.state
    if told.excuse is not None:
        reason = printable(told.excuse)
        fields["suppressions"] = [
            {"kind": "external", "status": "accepted", "justification": reason}
        ]
    fields["properties"] = {
        "severity": finding.severity.value,
        "certainty": finding.certainty.value,
        "group": finding.group,
        "references": list(whole.references) if whole is not None else [],
    }
    return fields
