"""Says whether version, changelogs, tag, tree and artifacts agree.

    python -m tools.release check    ``make release-check``

Each thing is a line; the status is 1 if one is wrong. docs/releasing.md has the steps.
"""

from __future__ import annotations

import sys
from pathlib import Path

from tools.release.checks import CHECKS, WrongError

__all__ = ["main"]

ROOT = Path(__file__).resolve().parents[2]


def main(words: list[str], root: Path = ROOT) -> int:
    """Make each check, and print what it says."""
    if words != ["check"]:
        print(__doc__, file=sys.stderr)
        return 2
    wrong = 0
    for check in CHECKS:
        try:
            print(f"ok     {check(root)}")
        except WrongError as error:
            print(f"WRONG  {error}")
            wrong += 1
    print(f"{wrong} of {len(CHECKS)} are wrong" if wrong else "ready to be released")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
