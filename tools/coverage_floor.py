"""Hold the branch coverage of each room against its floor.

``pytest -p tools.measuring`` and then ``python -m tools.coverage_floor``; ``make test``
does both. What is left out is named in ``pyproject.toml`` with its reason.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tools.net.sources import SHARED

__all__ = ["Room", "below", "by_room", "percent"]

PACKAGE = "iommu_inspect"
# What the program exists for: a branch that no test takes is an answer nobody saw.
FLOORS = {"rules": 97.0, "plan": 97.0, "kernel": 97.0}
ELSEWHERE = 95.0

Room = tuple[int, int]
"""How much there is to take in a room, statements and branches, and how much was."""


def by_room(files: Mapping[str, Mapping[str, Any]]) -> dict[str, Room]:
    """Sum up the files of a report of ``coverage json`` by room."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0])
    for name, found in files.items():
        parts = Path(name).parts
        at = parts.index(PACKAGE)
        room = parts[at + 1] if len(parts) > at + 2 else "(top)"
        totals = found["summary"]
        sums[room][0] += totals["num_statements"] + totals["num_branches"]
        sums[room][1] += totals["covered_lines"] + totals["covered_branches"]
    return {room: (total, covered) for room, (total, covered) in sorted(sums.items())}


def percent(room: Room) -> float:
    """Return how much of a room is covered."""
    total, covered = room
    return 100 * covered / total if total else 100.0


def below(rooms: Mapping[str, Room]) -> Iterable[str]:
    """Yield the rooms that are below their floor."""
    for name, room in rooms.items():
        if percent(room) < FLOORS.get(name, ELSEWHERE):
            yield name


def main() -> int:
    """Print a line a room, and what no test reaches where a room is too low.

    Many tests read the captures beside the checkout; without them a floor says nothing.
    """
    if not SHARED.is_dir():
        print(f"coverage: skipped: {SHARED} is not there, and tests were skipped too")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "coverage.json"
        command = [sys.executable, "-m", "coverage", "json", "-q", "-o", str(report)]
        subprocess.run(command, check=True)
        files = json.loads(report.read_text())["files"]
    rooms = by_room(files)
    low = list(below(rooms))
    for name, room in rooms.items():
        floor = FLOORS.get(name, ELSEWHERE)
        mark = "  too low" if name in low else ""
        print(f"coverage: {name:<9} {percent(room):6.2f} %, floor {floor:.0f} %{mark}")
    for name, found in sorted(files.items()):
        if any(f"{PACKAGE}/{room}/" in name for room in low):
            lines = found["missing_lines"]
            branches = [f"{a}->{b}" for a, b in found["missing_branches"]]
            if lines or branches:
                print(f"coverage: {name}: {lines} {' '.join(branches)}")
    return 1 if low else 0


if __name__ == "__main__":
    sys.exit(main())
