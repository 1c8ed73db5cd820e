"""What is said of neighbours that are in a group only because a plan supposes it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from iommu_inspect.plan.decision.assuming import NOT_KNOWN
from iommu_inspect.plan.decision.moves import Move, Refusal
from iommu_inspect.rules._cures import Look, Looking

__all__ = ["unsure_of_neighbours"]


def unsure_of_neighbours(
    moves: Sequence[Move], refusals: Sequence[Refusal]
) -> tuple[Refusal, ...] | None:
    """Return the refusals, those about supposed neighbours as what cannot be told.

    ``None`` is returned where there are none, or where what was asked for is in the way
    itself. The functions of a card may well have groups of their own, and then nothing
    is in the way.
    """
    supposed = [m for m in moves if m.group.id.startswith(NOT_KNOWN)]
    own = {m.refusal for m in moves if m.asked and m.refusal}
    in_way = any(m.refusal for m in supposed if not m.asked)
    if not in_way or any(refusal in own for refusal in refusals):
        return None
    looks = tuple(Look(Looking.NEIGHBOURS, m.device.id) for m in supposed if m.asked)
    return tuple(
        replace(
            refusal,
            certain=False,
            message=f"{refusal.message} Whether it shares the group at all, the source "
            "does not tell.",
            remedy="Look who is in the group. If it is, use another slot for the "
            "device that you want, or another device; if not, make the plan again with "
            "that listing.",
            cures=(*looks, *refusal.cures),
        )
        for refusal in refusals
    )
