"""The report as a browser shows it: without faults that axe sees, searched, printed.

It needs playwright, axe-playwright-python (which brings axe-core) and Debian's
chromium.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from importlib import resources
from pathlib import Path
from typing import Any

import pytest
from running import call
from shared import FIXTURES, SHARED, SYSFS

CHROMIUM = shutil.which("chromium")
DEMO = str(resources.files("iommu_inspect").joinpath("demo.tar.gz"))
sync_api = pytest.importorskip("playwright.sync_api", reason="install playwright")
axe = pytest.importorskip(
    "axe_playwright_python.sync_playwright", reason="install axe-playwright-python"
)
pytestmark = [
    pytest.mark.skipif(CHROMIUM is None, reason="install chromium"),
    pytest.mark.no_cover,
]
SMALLEST = FIXTURES / "kernels/5.10-two-functions-1.tar.gz"
# Without the collection of captures these are the sample again.
LARGE = {
    "farm": SHARED / "machines/mtca-e3-1505-pex8748-switch-farm/report.txt",
    "server": SHARED / "iommu_tools/sapphire-rapids-dual-dmar-tree.txt",
}
SIZES = {"narrow": (390, 844), "wide": (1400, 900)}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    # Chromium refuses to run its sandbox as root, and there is nothing to keep in.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_api.sync_playwright() as running:
        made = running.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield made
        made.close()


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return pages about a target, whole hosts of all sizes, and hostile names."""
    folder = tmp_path_factory.mktemp("reports")
    asked = {
        "target": ("03:01.0", "--from", DEMO),
        "host": ("--from", DEMO, "--notes"),
        "ready": ("01:00.0", "--from", DEMO),
        "hostile": ("--from", str(SYSFS / "hostile-names"), "--notes"),
        "since": ("--from", DEMO, "--baseline", str(SYSFS / "half-a-group")),
        "smallest": ("--from", str(SMALLEST)),
        **{
            name: ("--from", str(source)) if source.exists() else ("--from", DEMO)
            for name, source in LARGE.items()
        },
    }
    made = {}
    for name, words in asked.items():
        made[name] = folder / f"{name}.html"
        made[name].write_text(call("report", *words).stdout)
    return made


class Opened:
    """A page in a browser, with all that it asked for and complained about."""

    def __init__(self, browser: Any, file: Path, **options: Any) -> None:
        self.context = browser.new_context(**options)
        self.page = self.context.new_page()
        self.asked: list[str] = []
        self.said: list[str] = []
        self.page.on("request", lambda request: self.asked.append(request.url))
        self.page.on("console", lambda message: self.said.append(message.text))
        self.page.on("pageerror", lambda error: self.said.append(str(error)))
        self.page.goto(file.as_uri())
        assert self.asked == [file.as_uri()]


@pytest.fixture
def opened(browser: Any) -> Iterator[Any]:
    made: list[Opened] = []

    def open_page(file: Path, **options: Any) -> Opened:
        made.append(Opened(browser, file, **options))
        return made[-1]

    yield open_page
    for each in made:
        assert each.said == []  # nothing that the policy refused among it
        assert len(each.asked) == 1
        each.context.close()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize(
    "name",
    ["target", "host", "ready", "hostile", "since", "smallest", "farm", "server"],
)
def test_axe_finds_no_fault(
    opened: Any, files: dict[str, Path], name: str, size: str, scheme: str
) -> None:
    width, height = SIZES[size]
    viewport = {"width": width, "height": height}
    page = opened(files[name], viewport=viewport, color_scheme=scheme).page
    found = axe.Axe().run(page, options={"resultTypes": ["violations"]})
    assert found.violations_count == 0, found.generate_report()


def test_axe_sees_faults_where_there_are_some(browser: Any) -> None:
    page = browser.new_page()
    page.set_content("<html><p style='color:#ccc'>pale</p><img src='data:,'></html>")
    found = {each["id"] for each in axe.Axe().run(page).response["violations"]}
    page.close()
    assert {"color-contrast", "image-alt", "html-has-lang"} <= found


@pytest.mark.parametrize("size", SIZES)
def test_the_page_itself_never_scrolls_sideways(
    opened: Any, files: dict[str, Path], size: str
) -> None:
    width, height = SIZES[size]
    for file in files.values():
        page = opened(file, viewport={"width": width, "height": height}).page
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_a_search_hides_rows_and_says_how_many(
    opened: Any, files: dict[str, Path]
) -> None:
    page = opened(files["host"]).page
    rows = page.locator("#t-groups > tbody")
    every = rows.count()
    page.get_by_label("Search groups and devices").fill("e1000 conflict")
    assert page.locator("#t-groups > tbody:visible").count() == 1
    said = page.locator("[data-table=t-groups] output")
    assert said.inner_text() == f"1 of {every} shown"
    page.get_by_label("Search groups and devices").fill("")
    assert page.locator("#t-groups > tbody:visible").count() == every


def test_a_filter_shows_one_kind(opened: Any, files: dict[str, Path]) -> None:
    page = opened(files["host"]).page
    page.get_by_label("Only").select_option("error")
    kinds = page.locator("#t-findings > tbody:visible").evaluate_all(
        "rows => rows.map(row => row.dataset.kind)"
    )
    assert kinds
    assert set(kinds) == {"error"}


def test_a_link_to_a_hidden_row_shows_it(opened: Any, files: dict[str, Path]) -> None:
    page = opened(files["host"]).page
    link = page.locator("#t-findings a[href^='#group-']").first
    target = (link.get_attribute("href") or "")[1:]
    page.get_by_label("Search groups and devices").fill("nothing has this name")
    assert page.locator("#t-groups > tbody:visible").count() == 0
    link.click()
    page.wait_for_function(f"!document.getElementById({target!r}).hidden")
    assert page.locator(f"#{target}").is_visible()


def test_without_scripts_the_page_is_whole(opened: Any, files: dict[str, Path]) -> None:
    page = opened(files["host"], java_script_enabled=False).page
    assert page.locator(".filter:visible").count() == 0
    assert page.locator("#t-groups > tbody:visible").count() == 8
    assert page.locator("svg.ii").is_visible()


def test_the_first_key_leads_to_the_verdict(
    opened: Any, files: dict[str, Path]
) -> None:
    page = opened(files["target"]).page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the verdict"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "verdict"


def test_on_paper_it_is_black_on_white_and_whole(
    opened: Any, files: dict[str, Path]
) -> None:
    page = opened(files["host"], color_scheme="dark").page
    page.get_by_label("Search groups and devices").fill("nothing has this name")
    page.emulate_media(media="print", color_scheme="dark")
    colours = page.evaluate(
        "[getComputedStyle(document.body).color,"
        " getComputedStyle(document.body).backgroundColor]"
    )
    assert colours == ["rgb(26, 26, 26)", "rgb(255, 255, 255)"]
    assert page.locator("#t-groups > tbody:visible").count() == 8
    assert page.locator(".filter:visible").count() == 0


def test_text_of_the_picture_can_be_found_and_stays_in_its_box(
    opened: Any, files: dict[str, Path]
) -> None:
    """As this browser's fonts have it, not as widths were reckoned."""
    page = opened(files["host"]).page
    outside = page.evaluate(
        """() => [...document.querySelectorAll('svg.ii g[role=img]')].flatMap(g => {
            const box = g.querySelector('rect').getBBox();
            return [...g.querySelectorAll('text')].filter(t => {
                const own = t.getBBox();
                return own.x < box.x || own.x + own.width > box.x + box.width;
            }).map(t => t.textContent);
        })"""
    )
    assert outside == []
    assert page.locator("svg.ii text", has_text="group 7, owner").first.is_visible()
