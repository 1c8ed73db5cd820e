"""Audits of all fixtures, each made once for all tests of a process."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from running import read
from shared import FIXTURES, SYSFS

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.audit.tally import Tally, tally_of
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.model.asked.target import Target
from iommu_inspect.verdict.outcome import Verdict

TREES = sorted(path for path in SYSFS.iterdir() if path.is_dir())
KERNELS = sorted((FIXTURES / "kernels").glob("*.tar.gz"))
TEXTS = sorted((FIXTURES / "texts").glob("*.txt"))
SOURCES = [*TREES, *KERNELS[::3], *TEXTS]
CODES = {Verdict.READY: 0, Verdict.BLOCKED: 1, Verdict.UNKNOWN: 3}
NOW = 1_795_770_000.5


@cache
def tally(source: Path) -> Tally:
    """Return the audit of a whole host, in numbers."""
    machine = read(source)
    rules = applicable(machine.kernel)
    return tally_of(machine, rules, audit(machine, rules))


@cache
def of_targets(source: Path) -> Tally:
    """Return the audit of every group of a host and every device without one."""
    machine = read(source)
    rules = applicable(machine.kernel)
    targets = tuple(Target(f"group:{g.id}", None, g) for g in machine.groups)
    targets += tuple(Target(d.address, d, None) for d in machine.ungrouped)
    return tally_of(machine, rules, audit(machine, rules, targets))


def both(source: Path) -> Iterator[Tally]:
    """Yield the audit of a host, and that of all that can be a target there."""
    yield tally(source)
    yield of_targets(source)


def code(result: Audit) -> int:
    """Return what the command ends with."""
    verdict = result.since.verdict if result.since is not None else result.verdict
    return CODES[verdict]
