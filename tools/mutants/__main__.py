"""Sample mutants of ``kernel/``, ``rules/`` and ``plan/``, and let the tests find them.

    python -m tools.mutants map                    which test runs which line (minutes)
    python -m tools.mutants run --count 100 --seed 1
    python -m tools.mutants run --only iommu_inspect/kernel/eras.py:120

``make mutants N=100 SEED=1`` does the first where it is needed, and the second. Each
mutant is one of all, every one as likely as any other; the seed says which. Printed is
a line each with what changed, and the count. The status is 1 below 90 of 100 killed.
"""

from __future__ import annotations

import argparse
import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

from tools.mutants.choosing import Tests, times
from tools.mutants.making import ROOMS, Mutant, mutants
from tools.mutants.trying import Fate, try_out

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / ".mutants"
COVERED = KEPT / "coverage"
FLOOR = 0.9
# Others hardly run these rooms, or start programs, which never see a mutant.
_ASKED = (
    *("kernel", "rules", "plan", "verdict", "audit", "render", "cli", "sentences"),
    "test_field.py",
    *("test_real_kernels.py", "test_lab_captures.py"),
)


def _map() -> int:
    KEPT.mkdir(exist_ok=True)
    asked = [f"tests/{name}" for name in _ASKED if (ROOT / "tests" / name).exists()]
    for old in KEPT.glob("coverage*"):
        old.unlink()
    python = (sys.executable, "-m")
    report = f"--junitxml={KEPT / 'times.xml'}"
    environment = {**os.environ, "COVERAGE_FILE": str(COVERED)}
    pytest = ("pytest", "-q", "-n", "auto", "--dist", "worksteal", "-m", "not no_cover")
    measuring = ("-p", "tools.measuring", "--by-test", "-o", "junit_family=xunit1")
    for words in (
        [*pytest, *measuring, report, *asked],
        ["coverage", "combine", "--quiet"],
    ):
        done = subprocess.run([*python, *words], cwd=ROOT, env=environment, check=False)
        if done.returncode:
            return done.returncode
    return 0


def _all() -> list[Mutant]:
    return [
        mutant
        for room in ROOMS
        for path in sorted((ROOT / "iommu_inspect" / room).rglob("*.py"))
        for mutant in mutants(ROOT, str(path.relative_to(ROOT)))
    ]


def _only(wanted: str) -> list[Mutant]:
    path, _, line = wanted.partition(":")
    return [m for m in mutants(ROOT, path) if not line or m.line == int(line)]


def _preload() -> None:
    """Import what tests import and no mutant changes: each process has it at once."""
    import hypothesis.strategies
    import jsonschema
    import tabulate
    import typer.testing

    del hypothesis, jsonschema, tabulate, typer


def _tried(chosen: Sequence[Mutant], jobs: int) -> Iterator[tuple[Mutant, Fate]]:
    took = times(KEPT / "times.xml")
    tests = Tests(ROOT, COVERED, took)
    _preload()
    with ProcessPoolExecutor(jobs, get_context("fork")) as pool:

        def submit(mutant: Mutant, code: str) -> Future[Fate]:
            names = tests.of(mutant.path, mutant.lines)
            foretold = sum(took.get(name, 1.0) for name in names)
            return pool.submit(try_out, ROOT, mutant.path, code, names, foretold)

        # Where nothing was changed no test may fail.
        control = submit(chosen[0], chosen[0].module.code)
        running = [submit(mutant, mutant.code()) for mutant in chosen]
        if control.result().is_killed:
            raise RuntimeError(f"without any mutant: {control.result()}")
        for mutant, fate in zip(chosen, running, strict=True):
            yield mutant, fate.result()


def _run(count: int, seed: int, only: str, jobs: int) -> int:
    if only:
        chosen = _only(only)
        if not chosen:
            print(f"no mutant is made of {only}")
            return 2
    else:
        everything = _all()
        chosen = random.Random(seed).sample(everything, count)
        print(f"mutants: {count} of {len(everything)}, seed {seed}", flush=True)
    if not COVERED.exists():
        print("which test runs which line is not known: python -m tools.mutants map")
        return 2
    fates: Counter[str] = Counter()
    for number, (mutant, fate) in enumerate(_tried(chosen, jobs), 1):
        fates[fate.how] += 1
        print(f"{number}. {mutant.path}:{mutant.line} {mutant.operator}")
        print(mutant.diff())
        print(f"  {fate.how} {fate.by}", flush=True)
    killed = len(chosen) - fates["survived"]
    said = ", ".join(f"{n} {how}" for how, n in sorted(fates.items()))
    print(f"mutants: {killed} of {len(chosen)} killed ({said})")
    return 0 if killed >= FLOOR * len(chosen) else 1


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m tools.mutants")
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("map", help="which test runs which line")
    run = commands.add_parser("run", help="make mutants, and let the tests find them")
    run.add_argument("--count", type=int, default=100)
    run.add_argument("--seed", type=int, default=1)
    run.add_argument("--jobs", type=int, default=len(os.sched_getaffinity(0)))
    run.add_argument("--only", default="", metavar="FILE[:LINE]")
    options = parser.parse_args()
    if options.command == "map":
        return _map()
    return _run(options.count, options.seed, options.only, options.jobs)


if __name__ == "__main__":
    sys.exit(main())
