"""One answer of the kernel, and how the answers of several eras become one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from iommu_inspect.kernel.citations import Citation
from iommu_inspect.kernel.semantics import Era, Semantics

__all__ = ["NOT_APPLICABLE", "OK", "UNKNOWN", "Answer", "across_eras"]

OK = "0"
UNKNOWN = "unknown"
NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call returns, the rule that decides, and why, in a sentence.

    ``result`` is the return value as the kernel's sources write it (``0``,
    ``-EPERM``), ``viable`` or ``not-viable``, ``host-crash``, ``unknown``, or
    ``n/a`` where the kernel has no such call. ``rule`` names the page that
    explains it.
    """

    result: str
    rule: str
    because: str
    references: tuple[Citation, ...] = ()


def across_eras(semantics: Semantics, ask: Callable[[Era], Answer]) -> Answer:
    """Ask every era that may apply; where they differ the answer is unknown."""
    answers = [ask(era) for era in semantics.eras]
    newest = answers[-1]
    if len({answer.result for answer in answers}) == 1:
        return newest
    spans: list[str] = []
    for era, answer in zip(semantics.eras, answers, strict=True):
        spans.append(f"{answer.result} {era.name}")
    references = tuple(era.origin for era in semantics.eras[1:] if era.origin)
    return Answer(
        UNKNOWN,
        newest.rule,
        f"it depends on the kernel ({semantics.basis}): {', '.join(spans)}",
        references,
    )
