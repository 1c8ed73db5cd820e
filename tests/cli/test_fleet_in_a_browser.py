"""The page of a fleet in a browser: searched, sorted, without faults that axe sees."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from running import call
from shared import FIXTURES

CHROMIUM = shutil.which("chromium")
FLEETS = FIXTURES / "fleets"
sync_api = pytest.importorskip("playwright.sync_api", reason="install playwright")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="install axe-playwright-python"
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="install chromium"),
    pytest.mark.no_cover,
]


def test_a_page_of_hosts_is_searched_and_sorted(tmp_path: Path) -> None:
    out = tmp_path / "fleet.html"
    call("fleet", FLEETS / "tuesday", "--format", "html", "--output", out)
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        page = browser.new_page(viewport={"width": 390, "height": 844})
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.goto(out.as_uri())
        page.fill("#host-search", "db")
        assert page.inner_text("output") == "2 of 6 shown"
        page.fill("#host-search", "")
        page.select_option("#host-kind", "blocked")
        assert page.inner_text("output") == "2 of 6 shown"
        page.select_option("#host-kind", "")
        page.click("#host-table thead button >> nth=0")
        hosts = [each.inner_text() for each in page.query_selector_all("tbody th > a")]
        assert hosts == sorted(hosts)
        assert axe.Axe().run(page).violations_count == 0
        assert said == []
        browser.close()
