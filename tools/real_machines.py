"""Recompute the groups of captured machines and hold them against their kernels'.

``python -m tools.real_machines [--write]`` reads the collection of captures beside the
checkout (``../shared/data``), prints a line a capture, and with ``--write`` makes
docs/real-machines.md of it. The exit status is 1 if any group differs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.opening import open_source

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared" / "data"
PAGE = ROOT / "docs" / "real-machines.md"


@dataclass(frozen=True)
class Outcome:
    """What came out of one capture; the addresses are those of differing groups.

    ``enough`` says whether ids and registers of every function are in the capture.
    """

    name: str
    enough: bool
    equal: int
    unknown: int
    different: tuple[str, ...]
    reasons: Counter[str]


def captures() -> list[Path]:
    """Every capture that shows both PCI functions and their groups."""
    machines = [
        *SHARED.glob("machines/*/lspci*.txt"),
        *SHARED.glob("machines/*/report.txt"),
        *SHARED.glob("pciutils/*"),
    ]
    trees = [
        *SHARED.glob("ghw/*.tar.gz"),
        *SHARED.glob("hwloc/*.tar.bz2"),
        *SHARED.glob("real-kernels/*/*.tar.gz"),
        *ROOT.glob("tests/fixtures/kernels/*.tar.gz"),
    ]
    return [*sorted(machines), *sorted(trees)]


def outcome(name: str, machine: Machine) -> Outcome:
    """Compare the groups of one machine."""
    found = recompute(machine)
    equal, unknown, different = 0, 0, []
    reasons: Counter[str] = Counter()
    for group in machine.groups:
        agreement = found.agreement(group)
        if agreement.agrees:
            equal += 1
        elif agreement.agrees is None:
            unknown += 1
            reasons[_without_names(agreement.because, machine.devices)] += 1
        else:
            different.append(f"{group.devices[0].address}: {agreement.because}")
    enough = all(suffices(device) for device in machine.devices)
    return Outcome(name, enough, equal, unknown, tuple(different), reasons)


def _without_names(because: str, devices: Iterator[Device]) -> str:
    for device in sorted(devices, key=lambda d: -len(d.address)):
        because = because.replace(device.address, "X")
    while "X, X" in because:
        because = because.replace("X, X", "X")
    return because


def read(capture: Path) -> Machine:
    """Read one capture."""
    return read_source(open_source(str(capture)))


def outcomes(read: Callable[[Path], Machine] = read) -> Iterator[Outcome]:
    """Read every capture; those without groups have nothing to compare."""
    for capture in captures():
        try:
            machine = read(capture)
        except SourceError:
            continue  # two machines in one text
        if machine.groups_known and machine.groups:
            where = SHARED if capture.is_relative_to(SHARED) else ROOT
            yield outcome(str(capture.relative_to(where)), machine)


def suffices(device: Device) -> bool:
    """Say whether ids and the registers that isolation hangs on are all there."""
    return device.is_placed and not any(
        not known(fact)
        for fact in (device.ids.device, device.pci.pcie_type, device.pci.acs)
    )


def main() -> int:
    """Print the table; return 1 if isolation gives another group anywhere."""
    if not SHARED.is_dir():
        print(f"no captures: {SHARED} is not there")
        return 0
    lines = [
        "| capture | enough | equal | unknown | different "
        "| most frequent reason of unknown |",
        "|---|---|---:|---:|---:|---|",
    ]
    total: Counter[str] = Counter()
    notes = []
    for found in outcomes():
        why = found.reasons.most_common(1)
        lines.append(
            f"| {found.name} | {'yes' if found.enough else ''} "
            f"| {found.equal} | {found.unknown} | {len(found.different)} "
            f"| {why[0][0] if why else ''} |"
        )
        notes += [f"- {found.name}: {line}" for line in found.different]
        if found.enough:
            total["groups_enough"] += found.equal + found.unknown + len(found.different)
            total["equal_enough"] += found.equal
        total.update(
            equal=found.equal, unknown=found.unknown, different=len(found.different)
        )
    lines.append(
        f"| **all** | | {total['equal']} | {total['unknown']} "
        f"| {total['different']} | |"
    )
    sums = (
        f"Captures that hold enough: {total['equal_enough']} of "
        f"{total['groups_enough']} groups equal."
    )
    text = "\n".join([*lines, "", sums, "", *notes])
    print(text)
    if "--write" in sys.argv:
        PAGE.write_text(f"{HEAD}\n{text.rstrip()}\n")
    return 1 if total["different"] else 0


HEAD = """# Real machines

Made by `python -m tools.real_machines --write`, which needs the collection of
third-party captures beside the checkout (`../shared/data`).

Each capture's groups, as its kernel made them, are held against those that isolation
gives, recomputed from what the capture shows of configuration space
(`kernel/grouping/making/recompute.py`). *Equal*: the same members. *Unknown*: the
capture does not show enough, and the program says what is missing. *Different*: the
program would be wrong with certainty; there must be none. *Enough*: the capture has
the ids, the type and the ACS registers of every function, and all bridges above it.
"""

if __name__ == "__main__":
    sys.exit(main())
