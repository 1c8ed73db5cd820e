"""Coverage is measured where tests run, and not where a test does without."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from coverage import CoverageData

ROOT = Path(__file__).resolve().parents[2]
TESTS = """\
import pytest
import thing


@pytest.mark.no_cover
def test_heavy():
    thing.heavy()


def test_light():
    thing.light()
"""


@pytest.mark.parametrize("workers", [(), ("-n", "1")], ids=["here", "worker"])
def test_a_test_that_is_marked_is_not_measured(
    tmp_path: Path, workers: tuple[str, ...]
) -> None:
    if workers:
        pytest.importorskip("xdist")
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = no_cover\n")
    (tmp_path / "thing.py").write_text(
        "def heavy():\n    return 1\n\n\ndef light():\n    return 2\n"
    )
    (tmp_path / "test_thing.py").write_text(TESTS)
    words = ["-q", "-p", "tools.measuring", "--by-test", *workers, str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *words],
        cwd=tmp_path,
        env={
            **{k: v for k, v in os.environ.items() if not k.startswith("PYTEST_")},
            "PYTHONPATH": f"{ROOT}:{tmp_path}",
        },
        capture_output=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout.decode()
    (file,) = tmp_path.glob(".coverage.*")
    data = CoverageData(str(file))
    data.read()
    seen = data.contexts_by_lineno(str(tmp_path / "thing.py"))
    assert seen[6] == ["test_thing.py::test_light"]
    assert 2 not in seen
