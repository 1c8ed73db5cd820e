"""Which words are so near that one may be the other, mistyped."""

from __future__ import annotations

__all__ = ["distance", "is_near"]


def distance(one: str, other: str) -> int:
    """Return how many letters are left out, added, wrong, or exchanged with the next.

    The optimal string alignment distance.
    """
    before: list[int] = []
    last = list(range(len(other) + 1))
    for i, a in enumerate(one, 1):
        row = [i]
        for j, b in enumerate(other, 1):
            cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a != b))
            if i > 1 and j > 1 and a == other[j - 2] and one[i - 2] == b:
                cost = min(cost, before[j - 2] + 1)
            row.append(cost)
        before, last = last, row
    return last[-1]


def is_near(one: str, other: str, most: int = 1) -> bool:
    """Say whether words differ, and by ``most`` mistakes at most."""
    if one == other or abs(len(one) - len(other)) > most:
        return False
    return distance(one, other) <= most
