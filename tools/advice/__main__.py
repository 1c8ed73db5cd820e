"""``python -m tools.advice``: hold all advice against many machines."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.opening import open_source
from tools.advice.checks import Counts, faults, faults_of_host, targets_of
from tools.advice.machines import every

ROOT = Path(__file__).parents[2]
SHARED = ROOT.parent / "shared" / "data"
_MOST_TARGETS = 60
_MOST_SHOWN = 40


def main() -> int:
    """Look at generated machines, fixtures and captures; return 1 for a fault."""
    parser = argparse.ArgumentParser(prog="python -m tools.advice", description=__doc__)
    parser.add_argument("--count", type=int, default=300, help="generated machines")
    parser.add_argument("--shared", action="store_true", help="captures of others too")
    parser.add_argument("--only", default="", help="sources whose name holds this")
    given = parser.parse_args()
    counts, machines = Counts(), 0
    found: Counter[str] = Counter()
    shown = 0
    for name, machine in _machines(given.count, shared=given.shared):
        if given.only not in name:
            continue
        machines += 1
        for fault in _faults(machine, counts):
            kind = fault.partition(": ")[2][:40]
            found[kind] += 1
            if shown < _MOST_SHOWN and found[kind] < 4:
                shown += 1
                sys.stdout.write(f"{name}: {fault}\n")
    wrong = sum(found.values())
    sys.stdout.write(
        f"{machines} machines, {counts.targets} targets and purposes: {counts.plans} "
        f"plans, {counts.conditional} of them conditional, {counts.refused} refused; "
        f"{wrong} wrong\n"
    )
    return 1 if wrong else 0


def _machines(count: int, *, shared: bool) -> Iterator[tuple[str, Machine]]:
    for seed, machine in every(count):
        yield f"seed {seed}", machine
    fixtures = ROOT / "tests" / "fixtures"
    paths = [p for p in (fixtures / "sysfs").iterdir() if p.is_dir()]
    paths += (fixtures / "kernels").glob("*.tar.gz")
    if shared and SHARED.is_dir():
        paths += SHARED.rglob("*.tar.gz")
        paths += (SHARED / "field").rglob("input.txt")
    elif shared:
        sys.stdout.write(f"skipped: there is no {SHARED.name} beside the repository\n")
    for path in sorted(paths):
        try:
            yield path.name, read_source(open_source(str(path)))
        except SourceError:
            continue


def _faults(machine: Machine, counts: Counts) -> Iterator[str]:
    yield from (f"host: {fault}" for fault in faults_of_host(machine))
    targets = list(targets_of(machine))
    for target in targets[:: len(targets) // _MOST_TARGETS + 1]:
        for purpose in Purpose:
            for fault in faults(machine, target, purpose, counts):
                yield f"{target.text} --for {purpose.value}: {fault}"


if __name__ == "__main__":
    sys.exit(main())
