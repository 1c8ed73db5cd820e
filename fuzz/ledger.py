"""What was run: a line a run, and the sums of them as a table.

``python -m fuzz.ledger FILE...`` prints the table that `fuzz/ledger.md` holds.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from functools import cache
from pathlib import Path
from typing import NamedTuple

__all__ = ["Entry", "append", "read", "revision", "table"]

_ROOT = Path(__file__).resolve().parents[1]


class Entry(NamedTuple):
    """One run of one target."""

    target: str
    revision: str
    seed: int
    inputs: int
    cpu: float
    failures: int


@cache
def revision() -> str:
    """Return the commit that is run, with a + if files differ from it."""
    words = (
        "git",
        "-C",
        str(_ROOT),
        "describe",
        "--always",
        "--dirty=+",
        "--exclude=*",
    )
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "?"


def append(file: Path, entry: Entry) -> None:
    """Add a line, in one write."""
    line = "\t".join((*map(str, entry[:4]), f"{entry.cpu:.1f}", str(entry.failures)))
    with file.open("a") as out:
        out.write(f"{line}\n")


def read(files: Iterable[Path]) -> list[Entry]:
    """Return the lines of ledgers."""
    found = []
    for file in files:
        for line in file.read_text().splitlines():
            target, commit, seed, inputs, cpu, failures = line.split("\t")
            counts = int(seed), int(inputs), float(cpu), int(failures)
            found.append(Entry(target, commit, *counts))
    return found


def table(entries: Iterable[Entry]) -> str:
    """Return the sums by target as a table."""
    entries = list(entries)
    lines = [
        "| target | inputs | CPU seconds | runs | runs that failed |",
        "|---|--:|--:|--:|--:|",
    ]
    for name in sorted({entry.target for entry in entries}):
        own = [entry for entry in entries if entry.target == name]
        lines.append(_row(name, own))
    lines.append(_row("all", entries))
    return "\n".join(lines)


def _row(name: str, own: list[Entry]) -> str:
    inputs, cpu = sum(e.inputs for e in own), sum(e.cpu for e in own)
    failed = sum(1 for e in own if e.failures)
    return f"| {name} | {inputs} | {cpu:.0f} | {len(own)} | {failed} |"


if __name__ == "__main__":
    print(table(read(map(Path, sys.argv[1:]))))
