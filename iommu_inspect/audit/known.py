"""A finding as an earlier audit told it, from a source or from its document."""

from __future__ import annotations

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["Known"]


@dataclass(frozen=True, slots=True)
class Known:
    """What is needed to know a finding again, and to name it."""

    rule: str
    severity: Severity
    certainty: Certainty
    group: str | None
    devices: tuple[DeviceId, ...]
    message: str

    @classmethod
    def of(cls, finding: Finding) -> Known:
        """Return a finding of this run."""
        return cls(
            finding.rule,
            finding.severity,
            finding.certainty,
            finding.group,
            finding.devices,
            finding.message,
        )

    @property
    def rank(self) -> int:
        """How bad it is; an error that is certain is worse than one that is not."""
        if self.severity is Severity.ERROR:
            return 2 if self.certainty is Certainty.UNKNOWN else 3
        return 1 if self.severity is Severity.WARNING else 0
