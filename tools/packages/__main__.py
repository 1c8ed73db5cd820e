"""Builds the packages, and tries them where nothing of ours is.

    python -m tools.packages deb    ``make deb``: the Debian package, into dist
    python -m tools.packages try    ``make packages``: all, twice, installed and run

Ends with status 1 if anything is not as it should be.
"""

from __future__ import annotations

import sys

from tools.packages.building import ROOT, build_deb
from tools.packages.running import FailedError

__all__ = ["main"]


def main(words: list[str]) -> int:
    """Do what the words ask for."""
    try:
        if words == ["deb"]:
            print(build_deb(ROOT, ROOT / "dist"))
            return 0
        if words == ["try"]:
            from tools.packages.trying import try_all

            return try_all(ROOT / "dist")
    except FailedError as error:
        print(f"packages: {error}", file=sys.stderr)
        return 1
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
