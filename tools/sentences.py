"""Write down anew what the program says: ``python -m tools.sentences``.

The files in ``tests/sentences`` are what its tests compare with. Read the difference
before it is committed: each line is something that somebody is told.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests")]

from sentences.collecting import COLLECTIONS, sentences  # noqa: E402
from sentences.tables import tables  # noqa: E402


def main() -> int:
    """Write all files, and say how much is in them."""
    _write("tables", tables())
    for name, collect in COLLECTIONS.items():
        _write(name, sentences(collect))
    return 0


def _write(name: str, lines: Iterable[str]) -> None:
    found = list(lines)
    text = "".join(f"{line}\n" for line in found)
    path = _ROOT / "tests" / "sentences" / f"{name}.txt"
    path.write_text(text, encoding="utf-8")
    sys.stdout.write(f"{name}: {len(found)} lines\n")


if __name__ == "__main__":
    sys.exit(main())
