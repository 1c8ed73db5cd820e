"""Give every field of the model names that a shell would obey, and run what is printed.

    python -m tools.hostile --names 10000 [--seed N] [--jobs N]

Machines are made with such names, every command is asked about each, and all that is to
be typed is run in dash and in bash, in a directory where every program only says how it
was called. Ends with status 1 if a name did anything.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor

from tools.hostile.machines import made
from tools.hostile.outputs import Collected, collect
from tools.hostile.sandbox import (
    SHELLS,
    faults_of_commands,
    faults_of_install,
    faults_of_scripts,
)
from tools.hostile.settings import faults_of_settings

_CHUNK = 8
_MOST_SHOWN = 20


def _chunk(first: int) -> tuple[int, Counter[str], Collected]:
    """Ask about a few machines; return how many names they have, and where."""
    found, names, fields = Collected(), 0, Counter[str]()
    for seed in range(first, first + _CHUNK):
        each = made(seed)
        names += len(each.names)
        fields.update(each.fields)
        found.add(collect(each.machine, seed))
    return names, fields, found


def run(names: int, seed: int = 0, jobs: int = 1) -> tuple[list[str], str]:
    """Try so many names; return what is wrong, and the counts in a sentence."""
    total, found, fields, first = 0, Collected(), Counter[str](), seed
    with ProcessPoolExecutor(jobs) as pool:
        while total < names:
            firsts = [first + _CHUNK * n for n in range(jobs * 2)]
            first = firsts[-1] + _CHUNK
            for count, where, each in pool.map(_chunk, firsts):
                total += count
                fields.update(where)
                found.add(each)
    faults = [
        *found.faults,
        *faults_of_commands(found.commands),
        *faults_of_scripts(found.scripts),
        *faults_of_install(found.modprobe),
        *faults_of_settings(found.settings),
    ]
    said = (
        f"{total} names in {len(fields)} fields of {first - seed} machines, "
        f"{found.outputs} outputs, {found.planned} plans; run in "
        f"{' and '.join(s[0] for s in SHELLS)}: {len(found.commands)} commands, "
        f"{len(found.scripts)} scripts, {len(found.modprobe)} files of modprobe.d, "
        f"{len(found.settings)} lines of settings; {len(faults)} injections"
    )
    return faults, said


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.hostile")
    parser.add_argument("--names", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    given = parser.parse_args()
    start = time.monotonic()
    faults, said = run(given.names, given.seed, given.jobs)
    for fault in faults[:_MOST_SHOWN]:
        sys.stdout.write(f"{fault}\n")
    sys.stdout.write(f"{said}, in {time.monotonic() - start:.0f} s\n")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
