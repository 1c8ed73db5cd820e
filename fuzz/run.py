"""The loop that every target shares, and what it costs.

A failure is an exception that is not one of the program's own refusals, more CPU than
`SLOW` for one input, or more memory than `LARGE`. It is made smaller, written to a
file, and the loop goes on; further ones of the same place are only counted.
"""

from __future__ import annotations

import argparse
import random
import resource
import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from fuzz.ledger import Entry, append, revision
from fuzz.shrink import shrunk

__all__ = ["LARGE", "SLOW", "Target", "chosen", "fuzz", "main", "place_of"]

SLOW = 5.0
"""Seconds of CPU for one input."""
LARGE = 200 << 20
"""Bytes of memory for one input, beyond what the process has."""
_ADDRESS_SPACE = 2 << 30
_SHRINKING = 30.0


class SlowError(BaseException):
    """An input took too long; nothing that is tried may catch it."""


class LargeError(Exception):
    """An input took too much memory."""


@dataclass(frozen=True, slots=True)
class Target:
    """One reader, what it is given, and what must hold.

    Attributes:
        name: One word, for the ledger and for files.
        make: Makes an input; the same seed gives the same.
        check: Raises if the input is not dealt with as it should be.
        by_lines: Whether inputs are made smaller line by line first.
    """

    name: str
    make: Callable[[random.Random], bytes]
    check: Callable[[bytes], object]
    by_lines: bool = True


@dataclass(slots=True)
class Run:
    """What happened so far."""

    inputs: int = 0
    slowest: float = 0.0
    slowest_seed: int = 0
    places: Counter[str] = field(default_factory=Counter)


def chosen(samples: Sequence[bytes], dice: random.Random) -> bytes:
    """Return one sample, or noise one time in eight."""
    if not samples or dice.randrange(8) == 0:
        return dice.randbytes(dice.randrange(4097))
    return dice.choice(samples)


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss << 10


def _forget_peak() -> None:
    with suppress(OSError):
        Path("/proc/self/clear_refs").write_text("5")


@contextmanager
def _limited() -> Iterator[None]:
    def too_slow(*_: object) -> None:
        raise SlowError

    signal.signal(signal.SIGPROF, too_slow)
    # A second time and a third, should the first be swallowed.
    signal.setitimer(signal.ITIMER_PROF, SLOW, 1.0)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def _tried(target: Target, data: bytes) -> BaseException | None:
    """Return what an input did wrong."""
    before = _peak()
    try:
        with _limited():
            target.check(data)
    except (Exception, SlowError) as error:
        return error
    if _peak() > before + LARGE:
        _forget_peak()
        return LargeError()
    return None


def place_of(error: BaseException) -> str:
    """Say what failed and where, so that two inputs with one cause look alike."""
    if isinstance(error, SlowError | LargeError):
        return type(error).__name__
    here = str(Path(__file__).resolve().parents[1])
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename.startswith(here)
    ]
    last = frames[-1] if frames else None
    where = f"{last.filename[len(here) + 1 :]}:{last.lineno}" if last else "?"
    word = str(error).partition(":")[0] if isinstance(error, AssertionError) else ""
    return f"{type(error).__name__} {where} {word}".rstrip()


def _failed(target: Target, seed: int, data: bytes, found: Path) -> str:
    """Make a failing input smaller and keep it; return where it failed."""
    error = _tried(target, data)
    if error is None:  # It had the memory of those before it.
        return ""
    place = place_of(error)

    def still(smaller: bytes) -> bool:
        now = _tried(target, smaller)
        return now is not None and place_of(now) == place

    small = shrunk(data, still, by_lines=target.by_lines, seconds=_SHRINKING)
    found.mkdir(parents=True, exist_ok=True)
    file = found / f"{target.name}-{seed}"
    file.write_bytes(small)
    again = _tried(target, small)
    told = "".join(traceback.format_exception(again or error))
    Path(f"{file}.txt").write_text(f"seed {seed}: {place}\n{told}", errors="replace")
    print(f"{target.name}, seed {seed}: {place}: see {file}", file=sys.stderr)
    return place


def fuzz(
    target: Target,
    seed: int,
    seconds: float,
    found: Path,
    ends: Callable[[], bool] = lambda: False,
) -> Entry:
    """Make inputs and check them until so much CPU time is used, or ``ends`` says so.

    Returns:
        The line for the ledger.
    """
    run, began = Run(), _cpu()
    _tried(target, target.make(random.Random(seed)))  # What is read once counts once.
    while not ends() and _cpu() - began < seconds:
        data = target.make(random.Random(seed + run.inputs))
        before = _cpu()
        error = _tried(target, data)
        took = _cpu() - before
        if took > run.slowest:
            run.slowest, run.slowest_seed = took, seed + run.inputs
        if error is not None:
            place = place_of(error)
            if place not in run.places:
                place = _failed(target, seed + run.inputs, data, found)
            if place:
                run.places[place] += 1
        run.inputs += 1
    print(
        f"{target.name}: {run.inputs} inputs from seed {seed}, "
        f"{_cpu() - began:.0f} s of CPU; the slowest took {run.slowest:.2f} s "
        f"(seed {run.slowest_seed}); {len(run.places) or 'no'} failures"
    )
    for place, count in run.places.most_common():
        print(f"  {count} x {place}")
    return Entry(
        target.name, revision(), seed, run.inputs, _cpu() - began, len(run.places)
    )


def main(target: Target) -> int:
    """Run one target as the command line says; return the exit status."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10, help="of CPU")
    parser.add_argument("--seed", type=int, default=1, help="where to begin")
    parser.add_argument("--ledger", type=Path, help="a file to add a line to")
    parser.add_argument("--found", type=Path, default=Path("fuzz-found"))
    asked = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_AS, (_ADDRESS_SPACE, resource.RLIM_INFINITY))
    # What was run so far counts, also where somebody ends it.
    ending: list[bool] = []
    signal.signal(signal.SIGTERM, lambda *_: ending.append(True))
    entry = fuzz(target, asked.seed, asked.seconds, asked.found, lambda: bool(ending))
    if asked.ledger:
        append(asked.ledger, entry)
    return 1 if entry.failures else 0
