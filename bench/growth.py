"""Doubles each input and says what that costs: ``python -m bench.growth``.

A line each: CPU at half and at full size, the ratio (start-up taken off), and the most
memory at full size. Of several rounds the least counts, where one alone looks too long.
``--only`` takes a part of a name, ``--size`` a factor.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import os
import pkgutil
import resource
import sys
import tempfile
import time
from pathlib import Path

import iommu_inspect
from bench.inputs import Commands, Input

__all__ = ["main", "run"]

LIMIT_S = 60
MOST = 2.3
# Of whatever has less than a mebibyte.
SECONDS, MEBIBYTES = 5, 200
# What else a machine does makes a run longer, never shorter: what looks too long is
# measured again, both sizes in turn, and the least of each counts.
_ROUNDS = 6


def run(command: list[str], limit: int = LIMIT_S) -> tuple[float, float, int]:
    """Run one command in a child: CPU in seconds, memory in MiB, the exit code."""
    pid = os.fork()
    if not pid:
        resource.setrlimit(resource.RLIMIT_CPU, (limit, limit + 1))
        code = 99
        with contextlib.suppress(BaseException):
            code = _inside(command)
        os._exit(code)
    _, status, used = os.wait4(pid, 0)
    code = os.waitstatus_to_exitcode(status)
    return used.ru_utime + used.ru_stime, used.ru_maxrss / 1024, code


def _inside(command: list[str]) -> int:
    from iommu_inspect.cli.main import main as tool

    quiet = os.open(os.devnull, os.O_WRONLY)
    os.dup2(quiet, 1)
    os.dup2(quiet, 2)
    sys.argv = ["iommu-inspect", *command]
    if command[-1].startswith("<"):
        os.dup2(os.open(sys.argv.pop()[1:], os.O_RDONLY), 0)
    try:
        tool()
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else 0
    return 0


def _short(command: list[str], folder: str) -> str:
    words = [word.replace(folder + "/", "") for word in command]
    text = " ".join(words if len(words) < 8 else [*words[:3], "...", *words[-2:]])
    return text if len(text) < 50 else text[:47] + "..."


def measure(given: Input, factor: float, floor: float) -> bool:
    """Print a line for each command that reads an input; say whether all were good."""
    size = max(int(given.size * factor), 2)
    good = True
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as two:
        half: Commands = given.make(size // 2, Path(one))
        full: Commands = given.make(size, Path(two))
        kib = sum(f.stat().st_size for f in Path(two).iterdir()) >> 10
        for less, more in zip(half, full, strict=True):
            before = after = float("inf")
            for _ in range(_ROUNDS):
                before = min(before, run(less)[0])
                seconds, memory, code = run(more)
                after = min(after, seconds)
                ratio = (after - floor) / max(before - floor, 0.02)
                bad = ratio > MOST or code in (70, 99) or code < 0
                bad |= kib < 1024 and (after > SECONDS or memory > MEBIBYTES)
                if not bad:
                    break
            good &= not bad
            print(
                f"{given.name:12} {size:6} {kib:6} KiB {before:6.2f} s {after:6.2f} s "
                f"{ratio:5.2f} {memory:5.0f} MiB rc {code:2} "
                f"{'BAD ' if bad else '    '}{_short(more, two)}",
                flush=True,
            )
    return good


def main() -> int:
    """Measure what was asked for."""
    from bench.captures import CAPTURES
    from bench.files import FILES
    from bench.texts import TEXTS

    parser = argparse.ArgumentParser(prog="bench.growth", description=__doc__)
    parser.add_argument("--only", default="")
    parser.add_argument("--size", type=float, default=1.0)
    args = parser.parse_args()
    for module in pkgutil.walk_packages(iommu_inspect.__path__, "iommu_inspect."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    floor = min(run(["list", "--demo"])[0] for _ in range(3))
    started = time.monotonic()
    good = True
    for given in (*CAPTURES, *TEXTS, *FILES):
        if args.only in given.name:
            good &= measure(given, args.size, floor)
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
