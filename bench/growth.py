"""Doubles each input and says what that costs: ``python -m bench.growth``.

A line each: CPU at half and at full size, the ratio (start-up taken off), and the most
memory at full size. Of several rounds the least counts, where one alone looks too long.
``--only`` takes a part of a name, ``--size`` a factor. ``--calls`` counts calls of
functions in place of time, which is the same at every run, and names the function whose
calls grow the most.
"""

from __future__ import annotations

import argparse
import contextlib
import cProfile
import importlib
import json
import os
import pkgutil
import pstats
import resource
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

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


def calls(command: list[str]) -> dict[str, int]:
    """Run one command in a child; return how often each function was called."""
    reader, writer = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(reader)
        profile = cProfile.Profile()
        with contextlib.suppress(BaseException):
            profile.runcall(_inside, command)
        found: dict[str, int] = {}
        stats: dict[tuple[str, int, str], Any] = pstats.Stats(profile).stats  # type: ignore[attr-defined]
        for (file, line, name), (_, count, *_rest) in stats.items():
            where = f"{'/'.join(Path(file).parts[-3:])}:{line} {name}"
            found[where] = found.get(where, 0) + count
        with os.fdopen(writer, "w") as pipe:
            json.dump(found, pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        text = pipe.read()
    os.waitpid(pid, 0)
    return dict(json.loads(text))


def count(given: Input, factor: float) -> bool:
    """Print a line for each command that reads an input: calls, and what grows most."""
    size = max(int(given.size * factor), 4)
    good = True
    with tempfile.TemporaryDirectory() as folder:
        made: list[Commands] = []
        for part in (2, size // 2, size):
            place = Path(folder, str(part))
            place.mkdir()
            made.append(given.make(part, place))
        for words in zip(*made, strict=True):
            least, half, full = (calls(each) for each in words)
            none, one, two = (sum(each.values()) for each in (least, half, full))
            ratio = (two - none) / max(one - none, 3000)
            bad = ratio > MOST
            good &= not bad
            more = {name: n - 2 * half.get(name, 0) for name, n in full.items()}
            worst = max(more, key=lambda name: more[name])
            print(
                f"{given.name:12} {size:6} {one:10} {two:10} calls {ratio:5.2f} "
                f"{'BAD ' if bad else '    '}{_short(words[-1], str(made))}"
                + (f"  {worst} {half.get(worst, 0)} {full[worst]}" if bad else ""),
                flush=True,
            )
    return good


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
    parser.add_argument("--calls", action="store_true")
    args = parser.parse_args()
    for module in pkgutil.walk_packages(iommu_inspect.__path__, "iommu_inspect."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    floor = min(run(["list", "--demo"])[0] for _ in range(3))
    started = time.monotonic()
    good = True
    for given in (*CAPTURES, *TEXTS, *FILES):
        if args.only in given.name:
            good &= (
                count(given, args.size)
                if args.calls
                else measure(given, args.size, floor)
            )
    print(f"{time.monotonic() - started:.0f} s", file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
