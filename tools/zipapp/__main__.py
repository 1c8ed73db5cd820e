"""Writes the program as one file, or pins anew what is bundled with it.

    python -m tools.zipapp [FILE]           ``make zipapp``: dist/iommu-inspect.pyz
    python -m tools.zipapp --folder FOLDER  the same as files, for the Debian package
    python -m tools.zipapp --lock           the newest libraries that we may have

The file's dates are SOURCE_DATE_EPOCH, or 1980.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.packages.shared import shared
from tools.zipapp.bundled import ROOT, FetchError, wheels
from tools.zipapp.content import content
from tools.zipapp.locking import lock
from tools.zipapp.writing import unpack, write

__all__ = ["main"]


def main(words: list[str]) -> int:
    """Do what the words ask for; 1 if a library cannot be had."""
    try:
        if words == ["--lock"]:
            lock()
        elif words[:1] == ["--folder"]:
            unpack(Path(words[1]), content(ROOT, wheels()))
        else:
            target = Path(words[0]) if words else ROOT / "dist/iommu-inspect.pyz"
            write(target, content(ROOT, wheels(), shared()))
            print(f"{target}: {target.stat().st_size / 1000:.0f} kB")
    except FetchError as error:
        print(f"zipapp: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
