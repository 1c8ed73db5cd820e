"""Reads what is in the collection, one machine or one file at a time."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.capture import read_sources
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.opening import open_source

__all__ = ["SHARED", "Outcome", "groups_of", "outcomes", "stated"]

SHARED = Path(__file__).resolve().parents[3] / "shared" / "data"

# Lines of a serial console that ran into each other: which group is whose is lost.
_DAMAGED = "machines/server-hp-dl388p-gen8/dmesg.txt"
# What holds no machine, or not one, and so is refused: why.
_REFUSED = {
    "machines/desktop-gigabyte-b760m-alderlake-acs-groups/lspci-tv-acs.txt": (
        "two machines"
    ),
}
_FOLDERS = ("machines/*", "ghw", "hwloc", "vdsm", "iommu_tools", "pciutils")
_LIBVIRT = "libvirt/nodedevschemadata"


@dataclass(frozen=True)
class Outcome:
    """What came of one capture.

    ``verdict`` is ``equal``, ``none known``, ``not stated``, or what is wrong.
    """

    name: str
    kinds: str
    devices: int
    groups: int
    drivers: int
    verdict: str

    @property
    def is_wrong(self) -> bool:
        """Whether groups differ, or it was not read."""
        return self.verdict.startswith(("differ", "failed", "not read"))


def stated(table: Path) -> dict[str, frozenset[str]]:
    """Return the groups that a ``groups*.tsv`` states: members by id."""
    found: dict[str, set[str]] = {}
    with table.open(newline="") as file:
        for row in csv.reader(file, delimiter="\t"):
            if len(row) >= 2 and row[0].isdigit():
                found.setdefault(row[0], set()).add(row[1])
    return {group: frozenset(members) for group, members in found.items()}


def groups_of(machine: Machine) -> dict[str, frozenset[str]]:
    """Return the groups of a machine: addresses of members by id."""
    return {g.id: frozenset(d.address for d in g.devices) for g in machine.groups}


def outcomes() -> Iterator[Outcome]:
    """Yield what came of each file, and of all files of a machine together."""
    for pattern in _FOLDERS:
        for folder in sorted(SHARED.glob(pattern)):
            tables = sorted(folder.glob("groups*.tsv"))
            files = [f for f in sorted(folder.iterdir()) if _is_capture(f)]
            for file in files:
                yield _outcome([file], tables)
            if pattern.startswith("machines") and len(files) > 1:
                yield _outcome(files, tables)
    for file in sorted((SHARED / _LIBVIRT).glob("*pci*.xml")):
        yield _outcome([file], [])


def _is_capture(path: Path) -> bool:
    return path.is_file() and path.suffix != ".tsv" and path.name != "README.md"


def _outcome(files: list[Path], tables: list[Path]) -> Outcome:
    name = str(files[0].relative_to(SHARED))
    if len(files) > 1:
        name = f"{files[0].parent.name} (all {len(files)} files)"
    try:
        machine = read_sources([open_source(str(file)) for file in files])
    except SourceError as error:
        expected = _REFUSED.get(name) or len(files) > 1
        return Outcome(
            name, "", 0, 0, 0, f"{'refused' if expected else 'not read'}: {error}"
        )
    except Exception as error:
        return Outcome(name, "", 0, 0, 0, f"failed: {error!r}")
    verdict = _compared(machine, tables)
    if verdict.startswith("differ") and name == _DAMAGED:
        verdict = f"damaged lines: {verdict}"
    if verdict.startswith("differ") and len(tables) > 1:
        verdict = "two states: contradicted groups are unknown"
    return Outcome(
        name,
        "+".join(machine.source.parts) or machine.source.kind,
        len(list(machine.devices)),
        len(machine.groups),
        sum(1 for d in machine.devices if known(d.driver) and d.driver is not None),
        verdict,
    )


def _compared(machine: Machine, tables: list[Path]) -> str:
    if not machine.groups:
        return "not stated" if tables else "none known"
    if not tables:
        return "none known"
    found = groups_of(machine)
    wrong: list[str] = []
    for table in tables:
        wanted = stated(table)
        if found == wanted:
            return "equal"
        # A file may state fewer devices than another of the machine.
        shared = {device.address for device in machine.devices}
        if _restricted(wanted, shared) == found:
            return "equal"
        odd = sorted(
            group
            for group in {*found, *wanted}
            if found.get(group, frozenset()) != wanted.get(group, frozenset()) & shared
        )
        wrong.append(", ".join(odd[:6]))
    return f"differ: {wrong[0]}"


def _restricted(
    wanted: dict[str, frozenset[str]], devices: set[str]
) -> dict[str, frozenset[str]]:
    kept = {group: members & devices for group, members in wanted.items()}
    return {group: members for group, members in kept.items() if members}
