"""What was not seen of the devices that ``why`` is asked about."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iommu_inspect.kernel.grouping.acs.unseen import Doubt
from iommu_inspect.kernel.grouping.growth import Growth
from iommu_inspect.kernel.grouping.telling.sharing import Pair, Sharing
from iommu_inspect.plan.host.looking_closer import Look, look

__all__ = ["doubt_fields", "doubts_of", "look_fields", "look_of"]

Answers = Iterable[tuple[Sharing, Growth | None]]


def doubts_of(answers: Answers, pairs: Iterable[Pair]) -> tuple[Doubt, ...]:
    """Return all that was not seen and would give a reason, each once."""
    found = [d for shares, _ in answers for r in shares.reasons for d in r.doubts]
    found += [doubt for pair in pairs for doubt in pair.doubts]
    return tuple(dict.fromkeys(found))


def look_of(answers: Answers, pairs: Iterable[Pair]) -> Look | None:
    """Return the one command that shows it."""
    return look(doubts_of(answers, pairs))


def doubt_fields(doubts: Iterable[Doubt]) -> list[dict[str, str]]:
    """Return what was not seen, for a document."""
    return [
        {
            "address": doubt.device.address,
            "fact": doubt.what.value,
            "because": doubt.because,
        }
        for doubt in doubts
    ]


def look_fields(seen: Look | None) -> dict[str, Any]:
    """Return a command, and whether only root sees what it shows."""
    return {
        "look": seen.line if seen else None,
        "look_as_root": seen.as_root if seen else None,
    }
