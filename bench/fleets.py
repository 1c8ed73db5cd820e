"""Writes snapshots of many made-up hosts, quickly: real ones with a few things changed.

``python -m bench.fleets FOLDER COUNT [FIRST]`` makes COUNT of them. Kinds of hosts are
those of `bench.hosts`, of some sizes; each is made into a snapshot once, and each host
is one of these with a kernel, a card and drivers of its own.
"""

from __future__ import annotations

import os
import sys
import tempfile
import zlib
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from bench.hosts import write_host
from iommu_inspect.sources.snapshot.capture import Capture, Entry, Link
from iommu_inspect.sources.snapshot.making import Snapshot, take
from iommu_inspect.sources.snapshot.packing import packed
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.snapshot import Manifest

__all__ = ["SIZES", "write_fleet"]

SIZES = (12, 18, 24, 36, 48)
"""Functions of each kind of host."""
_KERNELS = (
    "5.15.0-91-generic",
    "6.1.0-18-amd64",
    "6.8.0-31",
    "6.12.9",
    "7.2.1",
)
_RACK = 250
_VFIO = "vfio-pci"


def write_fleet(folder: Path, count: int, first: int = 0) -> Path:
    """Write so many snapshots, in racks; a host is the same in any number of them."""
    kinds = [_kind(size) for size in SIZES]
    for number in range(first, first + count):
        rack = folder / f"rack{number // _RACK}"
        rack.mkdir(parents=True, exist_ok=True)
        snapshot = kinds[number % len(kinds)]
        capture = _changed(snapshot.capture, number)
        squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
        with (rack / f"host{number}.tar.gz").open("wb") as file:
            for piece in packed(capture, snapshot.manifest):
                file.write(squeeze.compress(piece))
            file.write(squeeze.flush())
    return folder


def _kind(size: int) -> Snapshot:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write_host(root, size)
        release = root / "proc/sys/kernel/osrelease"
        release.parent.mkdir(parents=True)
        release.write_text("6.12.9\n")
        (root / "proc/cmdline").write_text("quiet intel_iommu=on\n")
        return take(open_path(folder), Manifest("1", "default", privileged=True))


def _changed(capture: Capture, number: int) -> Capture:
    """Give a host what is its own: a kernel, who has which cards, a model of one."""
    entries = dict(capture.entries)
    kernel = _KERNELS[number // 5 % len(_KERNELS)]
    entries["proc/sys/kernel/osrelease"] = f"{kernel}\n".encode()
    cards = [path.removesuffix("/driver") for path in _drivers(capture)]
    given = cards[number % len(cards)]
    if number % 3:
        _bind(entries, given)
    if number % 7 == 0:  # and all of its group with it
        for card in cards:
            if card[:-1] == given[:-1]:
                _bind(entries, card)
    model = f"0x{0x1000 + number % 97:04x}\n".encode()
    entries[f"{given}/device"] = model
    return replace(capture, entries=entries)


def _drivers(capture: Capture) -> Iterator[str]:
    """Yield the links of endpoints to their drivers."""
    for path, entry in capture.entries.items():
        at_end = path.startswith("sys/devices/pci") and path.endswith("/driver")
        if at_end and isinstance(entry, Link) and "pcieport" not in entry.text:
            yield path


def _bind(entries: dict[str, Entry], card: str) -> None:
    link = entries[f"{card}/driver"]
    if isinstance(link, Link):
        entries[f"{card}/driver"] = Link(f"{link.text.rpartition('/')[0]}/{_VFIO}")


if __name__ == "__main__":
    os.umask(0o022)
    first = int(sys.argv[3]) if len(sys.argv) > 3 else 0
    print(write_fleet(Path(sys.argv[1]), int(sys.argv[2]), first))
