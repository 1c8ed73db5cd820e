"""What a command imports: start-up is most of a short run."""

from __future__ import annotations

import subprocess
import sys

import pytest
from shared import SYSFS

CLEAN = str(SYSFS / "groups-of-one")
HEAVY = {
    "prometheus_client",
    "rich",
    "pyudev",
    "typer",
    "click",
    "hypothesis",
    "asyncio",
    "ssl",
    "http",
}


def _imported(*words: str) -> set[str]:
    """Return the modules that a run of the program imports."""
    done = subprocess.run(
        [sys.executable, "-X", "importtime", "-m", "iommu_inspect", *words],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode in (0, 1), done.stderr[-500:]
    lines = [line for line in done.stderr.splitlines() if line.startswith("import ti")]
    return {line.rpartition("|")[2].strip() for line in lines}


def _ours(modules: set[str], *rooms: str) -> set[str]:
    names = tuple(f"iommu_inspect.{room}." for room in rooms)
    return {module for module in modules if module.startswith(names)}


def test_the_version_is_said_without_an_application() -> None:
    modules = _imported("--version")
    assert not modules & {"typer", "inspect", "dataclasses", "shutil"}
    assert len(_ours(modules, "cli", "model", "render")) <= 5


def test_a_page_is_shown_without_the_rules() -> None:
    modules = _imported("explain", "mixed-ownership")
    assert not _ours(modules, "kernel", "verdict", "plan", "audit")
    assert "iommu_inspect.rules.registry" not in modules


@pytest.mark.parametrize(
    ("words", "without", "most"),
    [
        (["list"], ["rules", "plan", "audit", "verdict"], 116),
        (["audit"], ["sources.text", "plan.steps", "plan.guest"], 226),
        (["predict", "0000:00:02.0"], ["rules", "plan", "audit"], 130),
    ],
    ids=lambda words: str(words[0]) if isinstance(words, list) else "",
)
def test_a_command_imports_what_it_needs(
    words: list[str], without: list[str], most: int
) -> None:
    modules = _imported(*words, "--from", CLEAN)
    assert not {module.partition(".")[0] for module in modules} & HEAVY
    assert not _ours(modules, *without)
    ours = {module for module in modules if module.startswith("iommu_inspect")}
    assert len(ours) <= most
