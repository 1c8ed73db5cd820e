"""Group random machines twice: ``python -m tools.grouping --count 5000``.

Once as the program does and once by the second port of ``pci_device_group()`` in
tests/port, which was written from the source of v7.3 alone.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from multiprocessing import Pool
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(_ROOT), str(_ROOT / "tests")]

from port.comparing import compare  # noqa: E402


def main() -> int:
    """Compare, and say how much was."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=5000, help="machines")
    parser.add_argument("--seed", type=int, default=0, help="the first one's")
    options = parser.parse_args()
    total: Counter[str] = Counter()
    with Pool() as pool:
        seeds = range(options.seed, options.seed + options.count)
        for found in pool.imap(compare, seeds, chunksize=50):
            total.update(
                machines=1,
                functions=found.functions,
                told=found.told,
                groups=found.groups,
                differences=len(found.differences),
            )
            for line in found.differences:
                print("DIFFERS", line, flush=True)
    print(
        f"{total['machines']} machines, {total['functions']} functions "
        f"({total['told']} told) in {total['groups']} groups: "
        f"{total['differences']} differences"
    )
    return 1 if total["differences"] else 0


if __name__ == "__main__":
    sys.exit(main())
