"""Makes the pictures of the documentation: ``python -m tools.pictures`` (chromium).

The sample machine as `graph` draws it, and its `report` as a browser shows it, narrow
and wide. What they show depends on no host: names are left out.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[1]
INTO = ROOT / "docs/pictures"
# The program on a host that has nothing but an empty /sys.
_PROGRAM = """\
import sys
from iommu_inspect.cli import session
from iommu_inspect.cli.main import main
from iommu_inspect.sources.tree.opening import open_path

session.open_live = lambda: open_path({host!r})
main()
"""
_SHOTS = {"report-wide.png": (1000, 760), "report-narrow.png": (390, 760)}


def main() -> None:
    """Write the pictures."""
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if browser is None:
        sys.exit("pictures: chromium is not installed")
    INTO.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        (Path(scratch) / "host/sys").mkdir(parents=True)
        host = str(Path(scratch) / "host")
        drawn = _said(host, "graph", "--demo", "--numeric", "--format", "svg")
        (INTO / "graph.svg").write_text(drawn)
        page = Path(scratch) / "report.html"
        page.write_text(_said(host, "report", "--demo", "--numeric"))
        for name, (width, height) in _SHOTS.items():
            shot = [
                *(browser, "--headless", "--no-sandbox", "--disable-gpu"),
                *("--hide-scrollbars", f"--window-size={width},{height}"),
                *(f"--screenshot={INTO / name}", page.as_uri()),
            ]
            subprocess.run(shot, check=True, capture_output=True, timeout=120)


def _said(host: str, *words: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", _PROGRAM.format(host=host), *words],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode not in (0, 1):
        sys.exit(f"pictures: {done.stderr}")
    return done.stdout


if __name__ == "__main__":
    main()
