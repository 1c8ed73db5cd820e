"""Inject every fault into every capture: ``python -m tools.soak``.

No answer may get better by a fact lost, and nothing may crash (tests/faults). It takes
hours; what is wrong is printed as it is found, and the counts at the end.
"""

from __future__ import annotations

import argparse
import random
import sys
import zlib
from collections import Counter
from multiprocessing import Pool
from os import cpu_count
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests")]

from faults.cases import FaultCase, fault_cases  # noqa: E402
from faults.injecting import every_fault, pairs  # noqa: E402

_PAIRS = 200


def _one(
    work: tuple[FaultCase, int, int, int],
) -> tuple[str, Counter[str], list[str]]:
    case, count, every, part = work
    injection, found = every_fault(case, every, part)
    lines = [f"{case}: {fault}: {each}" for fault, each in found]
    dice = random.Random(zlib.crc32(str(case).encode()))
    lines += pairs(case, dice, count)
    counts = Counter(
        faults=injection.injected,
        pairs=count,
        machines=injection.machines,
        answers=injection.asked,
        wrong=len(lines),
    )
    return str(case), counts, lines


def main() -> int:
    """Inject, and say how much was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shared", action="store_true", help="real kernels too")
    parser.add_argument("--only", default="", help="captures whose names hold this")
    parser.add_argument(
        "--read-as", choices=("capture", "host"), help="as what; both if not given"
    )
    parser.add_argument("--pairs", type=int, default=_PAIRS, help="pairs a capture")
    parser.add_argument("--every", type=int, default=1, help="each N-th fault only")
    parser.add_argument("--part", type=int, default=0, help="the first of these")
    parser.add_argument("--jobs", type=int, default=cpu_count() or 1)
    options = parser.parse_args()
    cases = [c for c in fault_cases(beside=options.shared) if options.only in c.path]
    if options.read_as:
        cases = [c for c in cases if c.live is (options.read_as == "host")]
    total: Counter[str] = Counter()
    with Pool(options.jobs, maxtasksperchild=1) as pool:
        work = [(case, options.pairs, options.every, options.part) for case in cases]
        for name, counts, lines in pool.imap_unordered(_one, work):
            total += counts
            for line in lines:
                print(f"WRONG {line}", flush=True)
            print(
                f"{name}: {counts['faults']} faults, {counts['wrong']} wrong",
                flush=True,
            )
    print(
        f"soak: {len(cases)} captures, {total['faults']} faults and {total['pairs']} "
        f"pairs injected, {total['machines']} machines, {total['answers']} answers "
        f"compared: {total['wrong']} wrong"
    )
    return 1 if total["wrong"] else 0


if __name__ == "__main__":
    sys.exit(main())
