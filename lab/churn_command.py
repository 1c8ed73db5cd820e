"""``python -m lab churn``: boot, move devices while the tool runs, judge it."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path

from lab.campaign import evidence_root, find_kernels
from lab.churn import run_churn
from lab.churn_judge import judged
from lab.churn_record import Churned, load_all_churned, save_churned
from lab.churn_states import Churn, find_churn
from lab.errors import Unavailable
from lab.guest import GuestError
from lab.kernels.known import Image
from lab.needs import images

__all__ = ["KERNELS", "add_arguments"]

KERNELS = ("6.1", "6.12")
_TRIES = 2


def add_arguments(part: argparse.ArgumentParser, say: Callable[[str], None]) -> None:
    """Give the command its options."""
    part.add_argument("--machines", default="churn", metavar="A,B")
    part.add_argument("--kernels", default=",".join(KERNELS), metavar="A,B")
    part.add_argument("--minutes", type=float, default=10, help="how long, for each")
    part.add_argument("--seed", type=int, default=1, help="of the walk and questions")
    part.add_argument("--evidence", type=Path, help="where to keep what was seen")
    part.add_argument(
        "--no-boot", action="store_true", help="only judge again what is kept"
    )
    part.add_argument(
        "--skip", action="store_true", help="succeed where QEMU or packages are missing"
    )
    part.set_defaults(run=lambda options: _churn(options, say))


def _churn(options: argparse.Namespace, say: Callable[[str], None]) -> int:
    root = options.evidence or evidence_root() / "churn"
    seen = load_all_churned(root) if options.no_boot else _seen(options, root, say)
    told = wrong = 0
    for churned in seen:
        told += 1
        wrong += _tell(churned, say)
    if not told:
        raise Unavailable(f"no evidence in {root}")
    return 1 if wrong else 0


def _seen(
    options: argparse.Namespace, root: Path, say: Callable[[str], None]
) -> Iterator[Churned]:
    churns = [find_churn(name) for name in options.machines.split(",")]
    kernels = find_kernels(options.kernels)
    ready = images(kernels, say)
    for churn in churns:
        for kernel in kernels:
            churned = _booted(churn, ready[kernel.name], options, say)
            say(f"what it showed is in {save_churned(churned, root)}")
            yield churned


def _booted(
    churn: Churn,
    image: Image,
    options: argparse.Namespace,
    say: Callable[[str], None],
) -> Churned:
    """Boot it; once more where the guest dies or hangs: emulated ones do at times."""
    for left in reversed(range(_TRIES)):
        try:
            return run_churn(churn, image, say, options.minutes, options.seed)
        except GuestError as error:
            if not left:
                raise
            say(f"{churn.machine.name}: {error}; booting it again")
    raise AssertionError("the last try returns or raises")


def _tell(churned: Churned, say: Callable[[str], None]) -> int:
    """Judge it, say what was found, return how much of that is wrong."""
    found = judged(churned)
    for wrong in found.wrong:
        say(f"WRONG {churned.name} {wrong}")
    slowest = max((run.seconds for run in churned.runs), default=0.0)
    say(
        f"{churned.name}: {churned.minutes:g} minutes, {churned.passed} states passed "
        f"({churned.different} of {len(churned.states)}); {len(churned.runs)} runs, "
        f"{found.moved} while something moved, the slowest {slowest:.1f} s"
    )
    if churned.power is not None:
        asleep = sum("suspended" in line for line in churned.power.before)
        say(
            f"{churned.name}: {len(churned.idle)} runs in the quiet guest beside "
            f"{len(churned.power.before)} devices, {asleep} of them asleep"
        )
    say(
        f"{churned.name}: {found.answered} answers compared: {len(found.wrong)} wrong, "
        f"{found.open} left open"
    )
    return len(found.wrong)
