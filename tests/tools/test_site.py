"""The documentation is a site in which every link leads somewhere."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from running import call

from iommu_inspect.cli import session
from iommu_inspect.sources.tree.opening import open_path
from tools.site import ROOT, main, sources


def test_the_site_is_built_without_a_warning(tmp_path: Path) -> None:
    main(str(tmp_path / "pages"))
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    settings |= {"docs_dir": "pages", "site_dir": "site"}
    (tmp_path / "mkdocs.yml").write_text(yaml.safe_dump(settings))
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    assert (tmp_path / "site/docs/tour.html").exists()


def test_every_page_of_the_documentation_is_in_the_menu() -> None:
    settings = yaml.safe_load((ROOT / "mkdocs.yml").read_text())
    named = {page for each in settings["nav"] for page in _pages(each)}
    docs = {str(path) for path in sources() if path.parent.name == "docs"}
    assert docs <= named


def _pages(entry: object) -> list[str]:
    if isinstance(entry, dict):
        return [page for pages in entry.values() for page in _pages(pages)]
    if isinstance(entry, list):
        return [page for each in entry for page in _pages(each)]
    return [str(entry)]


def test_the_readme_is_short() -> None:
    assert len((ROOT / "README.md").read_text().splitlines()) <= 120


def test_the_picture_is_what_the_command_beside_it_draws(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sys").mkdir()
    monkeypatch.setattr(session, "open_live", lambda: open_path(str(tmp_path)))
    drawn = call("graph", "--demo", "--numeric", "--format", "svg").stdout
    assert (ROOT / "docs/pictures/graph.svg").read_text() == drawn
