"""docs/rules.md is what the registry says."""

from __future__ import annotations

from pathlib import Path

from iommu_inspect.rules.registry import RULES
from tools.rule_index import render

DOCS = Path(__file__).parents[2] / "docs"


def test_the_index_is_up_to_date() -> None:
    text = (DOCS / "rules.md").read_text()
    assert text == render(RULES), "run: make docs/rules.md"


def test_every_link_of_the_index_leads_to_a_page() -> None:
    links = [line.split("](")[1].split(")")[0] for line in _rows()]
    assert len(links) == len(RULES)
    for link in links:
        assert (DOCS / link).is_file(), link


def _rows() -> list[str]:
    return [line for line in render(RULES).splitlines() if line.startswith("| [")]
