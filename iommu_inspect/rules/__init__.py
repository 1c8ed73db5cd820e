"""The rule book: what can be wrong, and what a verdict comes to."""

from __future__ import annotations

from iommu_inspect.rules._audit import Audit, TargetVerdict, Verdict, audit
from iommu_inspect.rules._changes import findings_around
from iommu_inspect.rules._pages import page
from iommu_inspect.rules.base import Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.registry import RULES, find_rule

__all__ = [
    "RULES",
    "Audit",
    "Case",
    "Certainty",
    "Finding",
    "Rule",
    "Severity",
    "TargetVerdict",
    "Verdict",
    "audit",
    "find_rule",
    "findings_around",
    "page",
]
