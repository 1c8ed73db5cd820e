"""The rules' pages: each lies beside its rule, with the same stem."""

from __future__ import annotations

from importlib import resources

from iommu_inspect.rules.base import Rule

__all__ = ["page"]


def page(rule: Rule) -> str:
    """Return a rule's page, Markdown."""
    name = f"{rule.id.replace('-', '_')}.md"
    return resources.files("iommu_inspect.rules").joinpath(name).read_text("utf-8")
