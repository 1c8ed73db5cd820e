"""Whether iommu_attach_device() works, for a driver of the host that calls it.

No step changes its answer: it asks for the size of the group, and for no driver.
"""

from __future__ import annotations

from iommu_inspect.kernel.answers import UNKNOWN
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.text import shown
from iommu_inspect.plan.decision.moves import Decision, Move, Refusal, of_finding
from iommu_inspect.plan.steps.checking import Check
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Severity
from iommu_inspect.verdict.judge import judge
from iommu_inspect.verdict.outcome import Verdict, of_answer

__all__ = ["attaching"]


def attaching(case: Case) -> tuple[tuple[Move, ...], tuple[Refusal, ...], Check]:
    """Return that all stays as it is, why the call would fail, and the judgement."""
    judged = judge(case)
    errors = [f for f in judged.findings if f.severity is Severity.ERROR]
    refusals: list[Refusal] = []
    if judged.verdict is not Verdict.READY:
        refusals = [of_finding(finding) for finding in errors] or [
            Refusal(
                "singleton-assumption",
                judged.verdict is Verdict.BLOCKED,
                f"What iommu_attach_device() returns cannot be told: {answer.because}."
                if answer.result == UNKNOWN
                else f"iommu_attach_device() returns {answer.result}: "
                f"{answer.because}.",
            )
            for target in judged.targets
            for _, answer in target.answers
            if of_answer(answer) is judged.verdict
        ]
    if judged.verdict is not Verdict.READY and not refusals:
        refusals = [_not_told(target) for target in case.targets]
    moves = tuple(
        Move(
            device,
            group,
            Decision.STAYS,
            "iommu_attach_device() does not mind its driver"
            if case.asked_for(device)
            else "one more device in the group",
            asked=case.asked_for(device),
        )
        for group in case.groups
        for device in group.devices
    )
    checked = Check((), judged.verdict, judged.findings, back=True)
    return moves, tuple(dict.fromkeys(refusals)), checked


def _not_told(target: Target) -> Refusal:
    whole = target.group is not None and target.group.whole
    return Refusal(
        "singleton-assumption",
        whole,
        f"{shown(target.text)} holds no device."
        if whole
        else f"The source does not tell which devices {shown(target.text)} has.",
        "Ask for another group." if whole else "Look at the group on the host itself.",
    )
