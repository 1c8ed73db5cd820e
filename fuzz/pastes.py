"""Fuzz the readers of pasted texts: ``python -m fuzz.pastes``.

Texts of every kind are spoilt as mailers and forums do it, put one behind another and
damaged. Reading must not raise, must end, and the machine must hang together.
"""

from __future__ import annotations

import random
import runpy
import sys
from functools import cache
from pathlib import Path
from typing import Any

from fuzz.lspci_text import check
from fuzz.mutate import mutated
from fuzz.run import Target, chosen, main

__all__ = ["TARGET", "check", "make"]

_ROOT = Path(__file__).resolve().parents[1]
_SHARED = _ROOT.parent / "shared" / "data"
_REAL = (
    *("machines/*/*.txt", "machines/*/lspci*", "iommu_tools/*.txt", "pciutils/*"),
    *("field/*/input.txt", "libvirt/*/*.xml"),
)
_PIECES = (
    b"IOMMU Group 1:\n",
    b"IOMMU Group 1 00:01.0 PCI bridge [0604]: Acme Bridge [8086:1901] (rev 07)\n",
    b"\tIOMMU group: 2\n",
    b"\tKernel driver in use: vfio-pci\n",
    b"Slot:\t01:00.0\n",
    b"/sys/kernel/iommu_groups/7/devices/0000:01:00.0\n",
    b"[    1.000000] pci 0000:01:00.0: Adding to iommu group 3\n",
    b"user@host:~$ lspci\n",
    b"```\n",
    b"> ",
    b"**",
    b"&nbsp;",
    b"[code]",
    b"\n\n",
    b"\r",
    b"\t",
    b"|",
    b"\xc2\xa0",
    b"\xe2\x80\xa6",
    b"[10de:1c03]",
    b"0000:01:00.0",
    b"00: 86 80 c9 10 06 04 10 00 01 00 00 02 10 00 80 00\n",
)
_MAX_SAMPLE = 70_000
_MAX_TEXT = 100_000


@cache
def _pastes() -> dict[str, Any]:
    return runpy.run_path(str(_ROOT / "tests" / "pastes.py"))


@cache
def _samples() -> tuple[bytes, ...]:
    own = [*_pastes()["TEXTS"].values(), *_pastes()["OTHERS"].values()]
    files = {path for pattern in _REAL for path in _SHARED.glob(pattern)}
    real = [
        path.read_bytes()
        for path in sorted(files)
        if path.is_file() and path.stat().st_size < _MAX_SAMPLE
    ]
    # Small texts are damaged where it matters more often.
    return (*(text.encode() for text in own), *real)


def make(dice: random.Random) -> bytes:
    """Return one or two texts that something is wrong with."""
    data = chosen(_samples(), dice)
    if not dice.randrange(4):
        data += dice.choice((b"\n", b"\n\n", b"")) + chosen(_samples(), dice)
    ways = list(_pastes()["SPOILT"].values())
    for _ in range(dice.choice((0, 0, 1, 1, 2))):
        spoil = dice.choice(ways)
        data = spoil(data.decode("utf-8", "replace")).encode("utf-8", "replace")
    return mutated(data[:_MAX_TEXT], dice, _PIECES)


TARGET = Target("pastes", make, check)

if __name__ == "__main__":
    sys.exit(main(TARGET))
