"""Lays the documentation out for a site: ``make site`` builds it.

    python -m tools.site FOLDER

All pages lie as in the repository, so that every link between them holds; the README is
the first page.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

__all__ = ["main", "sources"]

ROOT = Path(__file__).resolve().parents[1]
_PAGES = (
    *("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "LICENSE"),
    *("docs/*.md", "docs/pictures/*", "lab/README.md", "fuzz/ledger.md"),
    "iommu_inspect/rules/*.md",
)


def sources() -> Iterator[Path]:
    """Yield what the site is made of, as paths in the repository."""
    for pattern in _PAGES:
        yield from sorted(path.relative_to(ROOT) for path in ROOT.glob(pattern))


def main(folder: str) -> None:
    """Copy the pages into a folder, which is made anew."""
    into = Path(folder)
    shutil.rmtree(into, ignore_errors=True)
    for path in sources():
        (into / path).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / path, into / path)


if __name__ == "__main__":
    main(*sys.argv[1:])
