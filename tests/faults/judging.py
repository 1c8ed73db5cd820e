"""Whether answers got better, or other, because a fact was lost."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

__all__ = ["wrong"]

# What may be said whenever a fact is lost; and that a thing is not spoken of any more.
_UNKNOWN = "unknown"
_OF_PCI = re.compile(r"host [0-9a-f]{4,}:[0-9a-f]{2}:")
_YES = ("ready", "planned", "now", "0", "viable", "cannot grow", "can be spared")
"""Answers that somebody acts on."""


def wrong(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    """Yield each answer that is neither the one before nor unknown."""
    for question, answer in before.items():
        now = after.get(question, _UNKNOWN)
        if now not in (answer, _UNKNOWN):
            yield f"{question}: {answer} -> {now}"
    for question in after.keys() - before.keys():
        if question.startswith("host ") and not _OF_PCI.match(question):
            continue  # a device of another bus that has no group is not spoken of
        # The summary leaves bridges out; the audit of each of them was asked for.
        same = before.get(question.replace("summary", "audit"), _UNKNOWN)
        if after[question] in _YES and same not in _YES:
            yield f"{question}: not asked -> {after[question]}"
