"""``python -m lab watch``: run ``watch`` in guests, hold it against what was done."""

from __future__ import annotations

import argparse
from collections.abc import Callable

from lab.campaign import find_kernels
from lab.guest import GuestError
from lab.kernels.known import Image
from lab.needs import images
from lab.watch_judge import SOON, latency, per_ten_minutes, wrong
from lab.watch_moves import Watch, find_watch
from lab.watching import Watched, run_watch

__all__ = ["KERNELS", "add_arguments"]

KERNELS = ("5.10", "6.12", "7.3")
_TRIES = 2


def add_arguments(part: argparse.ArgumentParser, say: Callable[[str], None]) -> None:
    """Give the command its options."""
    part.add_argument("--machines", default="watched", metavar="A,B")
    part.add_argument("--kernels", default=",".join(KERNELS), metavar="A,B")
    part.add_argument(
        "--seconds",
        type=float,
        default=SOON,
        help="how soon an event is to be told; a busy host needs more",
    )
    part.add_argument(
        "--skip", action="store_true", help="succeed where QEMU or packages are missing"
    )
    part.set_defaults(run=lambda options: _watch(options, say))


def _watch(options: argparse.Namespace, say: Callable[[str], None]) -> int:
    watches = [find_watch(name) for name in options.machines.split(",")]
    kernels = find_kernels(options.kernels)
    ready = images(kernels, say)
    faults = 0
    for watch in watches:
        for kernel in kernels:
            faults += _tell(
                _booted(watch, ready[kernel.name], say), options.seconds, say
            )
    return 1 if faults else 0


def _booted(watch: Watch, image: Image, say: Callable[[str], None]) -> Watched:
    """Boot it; once more where the guest dies or hangs: emulated ones do at times."""
    for left in reversed(range(_TRIES)):
        try:
            return run_watch(watch, image, say)
        except GuestError as error:
            if not left:
                raise
            say(f"{watch.machine.name}: {error}; booting it again")
    raise AssertionError("the last try returns or raises")


def _tell(watched: Watched, seconds: float, say: Callable[[str], None]) -> int:
    """Say what was found, return how much of that is wrong."""
    name = f"{watched.machine} {watched.kernel}"
    found = list(wrong(watched, seconds))
    for text in found:
        say(f"WRONG {name} {text}")
    events = sum(len(made.move.expected) for made in watched.made)
    lines = sum(len(made.lines) for made in watched.made)
    for made in watched.made:
        event = latency(made, events=True)
        last = latency(made)
        say(f"{name}: {made.move.name}: told after {event:.2f} s, all {last:.2f} s")
    say(
        f"{name}: {len(watched.made)} moves, {events} events, {lines} lines; "
        f"ten idle minutes cost {per_ten_minutes(watched):.1f} s; {len(found)} wrong"
    )
    return len(found)
