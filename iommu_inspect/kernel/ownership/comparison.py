"""Where the rules of different kernels, or of a proposal, give different answers."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.kernel.answers import NOT_APPLICABLE, Answer
from iommu_inspect.kernel.eras import Proposal, Semantics
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine

__all__ = ["Comparison", "compare"]


@dataclass(frozen=True, slots=True)
class Comparison:
    """One operation, what it is asked of, and an answer for each set of rules."""

    operation: str
    target: DeviceId | str
    group: str | None
    answers: tuple[Answer, ...]

    @property
    def differs(self) -> bool:
        """Say whether kernels that have the call return different things."""
        return len({answer.result for answer in self.answers} - {NOT_APPLICABLE}) > 1


def compare(machine: Machine, rules: Sequence[Semantics]) -> tuple[Comparison, ...]:
    """Answer every operation under each of ``rules``, in the order of ``predict``.

    The answers of each comparison stand in the order of ``rules``.
    """
    shared = any(e.proposal is Proposal.SHARED for each in rules for e in each.eras)
    asked_of = [Inquiry(machine, each).predictions(shared=shared) for each in rules]
    return tuple(
        Comparison(
            asked[0].operation,
            asked[0].target,
            asked[0].group,
            tuple(prediction.answer for prediction in asked),
        )
        for asked in zip(*asked_of, strict=True)
    )
