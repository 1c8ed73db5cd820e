"""A file of expectations: ``0000:01:00.0 10de:1e04``, one a line."""

from __future__ import annotations

import re

from iommu_inspect.model.asked.expectation import Expectation
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.text import printable

__all__ = ["parse_expectations"]

_IDS = re.compile(r"(?:0x)?([0-9a-f]{4}):(?:0x)?([0-9a-f]{4})", re.IGNORECASE)

# Of a line that is wrong; it may be a megabyte long.
_SHOWN = 60


def parse_expectations(text: str, file: str) -> tuple[Expectation, ...]:
    """Read a file of ``address vendor:device`` lines; ``#`` begins a comment.

    ``|`` between the two, as Unraid's vfio-pci.cfg has it, will do as well.

    Raises:
        BadRequestError: a line is no such pair, or says two things of one address.
            The message names ``file`` and the line.
    """
    found: dict[PciAddress, tuple[int, Expectation]] = {}
    for number, line in enumerate(text.split("\n"), 1):
        pair = line.partition("#")[0].strip()
        if not pair:
            continue
        here = f"{file}, line {number}"
        expected = _pair(pair, here)
        before = found.setdefault(expected.address, (number, expected))
        if before[1] != expected:
            raise BadRequestError(
                f"{here}: {expected.address} is {before[1].ids} on line {before[0]} "
                f"and {expected.ids} here"
            )
    return tuple(expected for _, (_, expected) in sorted(found.items()))


def _pair(text: str, here: str) -> Expectation:
    words = text.replace("|", " ", 1).split()
    address = PciAddress.parse(words[0]) if len(words) == 2 else None
    ids = _IDS.fullmatch(words[-1]) if words else None
    if address is None or ids is None:
        text = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise BadRequestError(
            f"{here}: {printable(text)!r} is no pair such as 0000:01:00.0 10de:1e04"
        )
    return Expectation(address, int(ids[1], 16), int(ids[2], 16))
