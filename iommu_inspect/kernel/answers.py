"""One answer of the kernel, and how the answers of several eras become one."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from iommu_inspect.kernel.citations import Citation
from iommu_inspect.kernel.eras import Era, Semantics
from iommu_inspect.model.dataclass import dataclass

__all__ = [
    "BLOCKS",
    "HOST_CRASH",
    "NOT_APPLICABLE",
    "OK",
    "UNKNOWN",
    "Answer",
    "across_eras",
    "differing",
]

OK = "0"
HOST_CRASH = "host-crash"
BLOCKS = "blocks"
UNKNOWN = "unknown"
NOT_APPLICABLE = "n/a"


@dataclass(frozen=True, slots=True)
class Answer:
    """What a call returns, the rule that decides, and why, in a sentence.

    ``result`` is the return value as the kernel's sources write it (``0``,
    ``-EPERM``), ``viable`` or ``not-viable``, ``host-crash``, ``blocks`` where
    it waits, ``unknown``, or ``n/a`` where the kernel has no such call. ``rule`` names
    the page that explains it. ``probe`` is what the driver itself returned where it
    refused a device; not every kernel hands that on.
    """

    result: str
    rule: str
    because: str
    references: tuple[Citation, ...] = ()
    probe: str = ""


def across_eras(semantics: Semantics, ask: Callable[[Era], Answer]) -> Answer:
    """Ask every era that may apply; where they differ the answer is unknown."""
    answers = [ask(era) for era in semantics.eras]
    newest = answers[-1]
    if len({answer.result for answer in answers}) == 1:
        return newest
    references = tuple(era.origin for era in semantics.eras[1:] if era.origin)
    return Answer(UNKNOWN, newest.rule, differing(semantics.eras, answers), references)


def differing(eras: Sequence[Era], answers: Sequence[Answer]) -> str:
    """Say which kernels answer what, neighbours that agree taken together."""
    spans: list[str] = []
    for index, (era, answer) in enumerate(zip(eras, answers, strict=True)):
        if index and answers[index - 1].result == answer.result:
            continue
        since = "" if not index else f" since v{era.since[0]}.{era.since[1]}"
        spans.append(f"{answer.result}{since}")
    return f"it depends on the kernel: {', '.join(spans)}"
