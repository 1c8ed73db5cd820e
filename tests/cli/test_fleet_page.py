"""The queries of the page about fleets answer what it shows."""

from __future__ import annotations

import pytest

pytest.importorskip("duckdb", reason="install duckdb")

from tools.fleet_queries import PAGE, answered


def test_queries_answer_what_the_page_shows() -> None:
    text = PAGE.read_text()
    assert text.count("```sql") == text.count("```text") == 5
    assert answered(text) == text, "run: python -m tools.fleet_queries --write"
