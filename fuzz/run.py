"""The loop that every target shares."""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence

__all__ = ["fuzz"]


def fuzz(make: Callable[[random.Random], bytes], check: Callable[[bytes], None]) -> int:
    """Make inputs and check them until the time is over, or one fails.

    The failing input is written to standard error as hexadecimal digits, with its seed.

    Returns:
        The exit status: 1 after a failure.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--seed", type=int, default=1, help="where to begin")
    asked = parser.parse_args()
    end, seed, slowest = time.monotonic() + asked.seconds, asked.seed, 0.0
    while time.monotonic() < end:
        data = make(random.Random(seed))
        started = time.monotonic()
        try:
            check(data)
        except Exception as error:
            print(f"seed {seed}: {error!r}\n{data.hex()}", file=sys.stderr)
            return 1
        slowest = max(slowest, time.monotonic() - started)
        seed += 1
    count = seed - asked.seed
    print(f"{count} inputs from seed {asked.seed}: none failed")
    print(f"the slowest took {slowest:.3f} s")
    return 0


def chosen(samples: Sequence[bytes], dice: random.Random) -> bytes:
    """Return one sample, or noise one time in eight."""
    if not samples or dice.randrange(8) == 0:
        return dice.randbytes(dice.randrange(4097))
    return dice.choice(samples)
