"""Counts by keys that anybody may have chosen: exact, and of bounded size.

Of too many keys those with the smallest digests are kept, and what is counted of the
others goes into one sum. A key that is kept at the end was among the smallest in every
part, so that nothing of it was ever left out: merging is associative, commutative, and
what is kept is exact. Which keys are kept depends on the keys alone.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import field

from iommu_inspect.model.dataclass import dataclass

__all__ = ["Counts", "merged_counts"]

Numbers = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Counts:
    """Numbers by key, at most ``most`` keys; ``rest`` is the sum of all others."""

    most: int
    kept: Mapping[str, Numbers] = field(default_factory=dict)
    rest: Numbers = ()

    def total(self) -> Numbers:
        """Return the sum over all keys, kept or not."""
        sums: list[int] = []
        for numbers in (*self.kept.values(), self.rest):
            _add(sums, numbers)
        return tuple(sums)


def merged_counts(parts: Iterable[Counts], most: int) -> Counts:
    """Add up; parts have the same bound."""
    sums: dict[str, list[int]] = {}
    rest: list[int] = []
    for part in parts:
        for key, numbers in part.kept.items():
            _add(sums.setdefault(key, []), numbers)
        _add(rest, part.rest)
    if len(sums) > most:
        ranked = sorted(sums, key=_digest)
        for key in ranked[most:]:
            _add(rest, sums.pop(key))
    return Counts(most, {key: tuple(sums[key]) for key in sorted(sums)}, tuple(rest))


def _digest(key: str) -> bytes:
    text = key.encode("utf-8", "surrogatepass")
    return hashlib.blake2b(text, digest_size=16).digest() + text


def _add(sums: list[int], numbers: Iterable[int]) -> None:
    for place, number in enumerate(numbers):
        if place == len(sums):
            sums.append(0)
        sums[place] += number
