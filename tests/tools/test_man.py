"""The manual pages say what the program takes, in a language that mandoc accepts."""

from __future__ import annotations

import shutil
import subprocess
from importlib import import_module
from pathlib import Path

import pytest

from iommu_inspect import __version__
from iommu_inspect.cli.declared import parameters
from iommu_inspect.cli.main import COMMANDS
from tools import man
from tools.man import main, pages


def test_there_is_a_page_for_each_command_with_each_option() -> None:
    made = dict(pages())
    assert set(made) == {
        "iommu-inspect.1",
        *(f"iommu-inspect-{name}.1" for name in COMMANDS),
    }
    for name, (module, function) in COMMANDS.items():
        page = made[f"iommu-inspect-{name}.1"]
        for each in parameters(getattr(import_module(module), function)).values():
            for option in each.names:
                assert f"Fl {option.lstrip('-')}" in page


def test_a_page_names_the_version_and_the_day_of_its_release(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changelog = tmp_path / "CHANGELOG.md"
    changelog.write_text(f"## Unreleased\n\n## {__version__} - 2027-01-09\n")
    monkeypatch.setattr(man, "_CHANGELOG", changelog)
    for page in dict(pages()).values():
        assert ".Dd January 9, 2027\n" in page
        assert f".Os iommu-inspect {__version__}\n" in page
    changelog.write_text("## Unreleased\n")
    assert ".Dd $Mdocdate$\n" in dict(pages())["iommu-inspect.1"]


def test_mandoc_has_nothing_to_say_about_the_pages(tmp_path: Path) -> None:
    if not shutil.which("mandoc"):
        pytest.skip("mandoc is not installed")
    main(str(tmp_path))
    done = subprocess.run(
        ["mandoc", "-T", "lint", "-W", "warning", *sorted(tmp_path.iterdir())],
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
