"""The rule book: what can be wrong, and what a verdict comes to."""

from __future__ import annotations

from iommu_inspect.rules._audit import Audit, TargetVerdict, audit
from iommu_inspect.rules._changes import findings_around
from iommu_inspect.rules._ignoring import (
    Ignore,
    Ignored,
    ignore_rule,
    parse_ignores,
)
from iommu_inspect.rules._pages import page
from iommu_inspect.rules._summary import Possible, Prospect
from iommu_inspect.rules._verdict import Verdict
from iommu_inspect.rules.base import (
    Case,
    Certainty,
    Finding,
    Purpose,
    Rule,
    Severity,
)
from iommu_inspect.rules.registry import RULES, find_rule

__all__ = [
    "RULES",
    "Audit",
    "Case",
    "Certainty",
    "Finding",
    "Ignore",
    "Ignored",
    "Possible",
    "Prospect",
    "Purpose",
    "Rule",
    "Severity",
    "TargetVerdict",
    "Verdict",
    "audit",
    "find_rule",
    "findings_around",
    "ignore_rule",
    "page",
    "parse_ignores",
]
