"""The rules in SARIF's words, with their pages as help."""

from __future__ import annotations

import re
from typing import Any

from iommu_inspect.render.layout import Style
from iommu_inspect.render.pages import page_text
from iommu_inspect.rules._pages import page
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.finding import Severity

__all__ = ["LEVELS", "VERDICT", "rule_fields"]

LEVELS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.INFO: "note"}
# What GitHub's code scanning calls them.
_PROBLEMS = {"error": "error", "warning": "warning", "note": "recommendation"}
_TAGS = ["iommu", "vfio"]
_URL = re.compile(
    r"https://(?:docs\.|www\.|lore\.)?kernel\.org/[^\s<>\"'`()]*[^\s<>\"'`().,;:]"
)
# Where a page names none of the kernel's: what it says of VFIO, groups and IOMMUs.
_KERNEL = "https://docs.kernel.org/driver-api/vfio.html"
_WIDE = Style(width=100)

VERDICT: dict[str, Any] = {
    "id": "verdict",
    "name": "Verdict",
    "shortDescription": {"text": "the verdict rests on no finding of a rule"},
    "fullDescription": {
        "text": "The kernel refuses what no rule speaks of, or the source does not "
        "show enough to judge the host."
    },
    "help": {"text": "iommu-inspect audit says why, and what to look at."},
    "helpUri": _KERNEL,
    "defaultConfiguration": {"level": "error"},
    "properties": {"tags": _TAGS, "problem.severity": "error"},
}
"""Stands for a verdict that would else be no result, and so pass for "ready"."""


def rule_fields(rule: Rule) -> dict[str, Any]:
    """Return a rule: its summary, its page, and a link to the kernel's documents."""
    about, text = rule.about, page(rule)
    level = LEVELS[about.severity]
    link = _URL.search(text)
    return {
        "id": about.id,
        "name": "".join(word.capitalize() for word in about.id.split("-")),
        "shortDescription": {"text": about.summary},
        "fullDescription": {"text": _first_words(text) or about.summary},
        "help": {"text": page_text(text, _WIDE), "markdown": text},
        "helpUri": link[0] if link is not None else _KERNEL,
        "defaultConfiguration": {"level": level},
        "properties": {"tags": _TAGS, "problem.severity": _PROBLEMS[level]},
    }


def _first_words(text: str) -> str:
    """Return the page's first paragraph, which says what is wrong."""
    paragraphs = (p for p in text.split("\n\n") if not p.startswith("#"))
    return " ".join(next(paragraphs, "").split())
