"""Cast the net, and compare two casts.

    python -m tools.net write DIR [--every N] [--only TEXT] [--jobs N]
    python -m tools.net compare BEFORE AFTER [--show N] [--common]

The first writes the text and the JSON of every command, for the whole host, every
device, every group and every purpose, for every capture of ``../shared/data`` and every
fixture. The second ends with status 1 where they differ in what ``intended.toml``
does not explain; ``--common`` looks only at what both asked.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor, as_completed
from itertools import islice
from pathlib import Path

from tools.net.casting import cast
from tools.net.comparing import compare, read_intended
from tools.net.sources import SHARED, sources


def _write(into: Path, every: int, only: str, jobs: int) -> int:
    if not SHARED.is_dir():
        print(f"net: {SHARED} is not there: only the fixtures are asked")
    into.mkdir(parents=True, exist_ok=True)
    start, total = time.monotonic(), 0
    chosen = [source for source in sources() if only in source]
    with ProcessPoolExecutor(jobs, max_tasks_per_child=1) as pool:
        running = {
            pool.submit(cast, source, into.resolve(), every): source
            for source in chosen
        }
        for done in as_completed(running):
            total += done.result()
    seconds = time.monotonic() - start
    print(f"net: {total} documents of {len(chosen)} sources in {seconds:.0f} s")
    return 0


def _compare(before: Path, after: Path, show: int, *, common: bool) -> int:
    counts: Counter[str] = Counter()
    differences = compare(before, after, read_intended(), counts, common=common)
    for difference in islice(differences, show):
        print(difference)
    for _ in differences:
        pass
    for outcome, count in sorted(counts.items()):
        print(f"net: {count} {outcome}")
    return 1 if counts["different"] or counts["only in one set"] else 0


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.net")
    commands = parser.add_subparsers(dest="command", required=True)
    write = commands.add_parser("write")
    write.add_argument("into", type=Path)
    write.add_argument("--every", type=int, default=1)
    write.add_argument("--only", default="")
    write.add_argument("--jobs", type=int, default=2)
    comparing = commands.add_parser("compare")
    comparing.add_argument("before", type=Path)
    comparing.add_argument("after", type=Path)
    comparing.add_argument("--show", type=int, default=20)
    comparing.add_argument("--common", action="store_true")
    given = parser.parse_args()
    if given.command == "write":
        return _write(given.into, given.every, given.only, given.jobs)
    return _compare(given.before, given.after, given.show, common=given.common)


if __name__ == "__main__":
    sys.exit(main())
