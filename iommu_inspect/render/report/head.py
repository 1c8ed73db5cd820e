"""What stands at the top of a report: the verdict, the targets, the source."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.audit.report import Report
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import value_or
from iommu_inspect.render.audits.advice import advice_blocks
from iommu_inspect.render.audits.verdict import last_lines, target_line
from iommu_inspect.render.purposes import PHRASES
from iommu_inspect.render.report.blocks import WIDE, Piece, pieces
from iommu_inspect.render.uses import untold_text
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["Head", "head_of"]

_WORDS = {
    Verdict.READY: "Ready",
    Verdict.BLOCKED: "Blocked",
    Verdict.UNKNOWN: "Cannot tell",
}


@dataclass(frozen=True, slots=True)
class Head:
    """``verdict`` names the look, ``word`` says it; ``lines`` end in the sentence.

    ``asked`` says what the verdict is about. ``advice`` is what to do, ``facts`` names
    and values of the source, ``untold`` what it does not show.
    """

    verdict: str
    word: str
    asked: str
    targets: tuple[str, ...]
    lines: tuple[str, ...]
    advice: tuple[Piece, ...]
    facts: tuple[tuple[str, str], ...]
    untold: tuple[str, ...]


def head_of(report: Report) -> Head:
    """Return what is said first; the sentences are those of ``audit``."""
    result = report.result
    verdict = result.since.verdict if result.since else result.verdict
    if not result.targets:
        asked = "the whole host"
    else:
        asked = f"can these {PHRASES[result.purpose]}?"
    return Head(
        verdict.value,
        _WORDS[verdict],
        asked,
        tuple(target_line(each, WIDE) for each in result.targets),
        tuple(last_lines(result, WIDE)),
        pieces(advice_blocks(result, WIDE)),
        tuple(_facts(report)),
        tuple(_untold(report)),
    )


def _facts(report: Report) -> Iterator[tuple[str, str]]:
    machine = report.machine
    source = machine.source
    yield "Read from", source.name
    yield "What that is", ", ".join((source.kind, *source.parts))
    yield "Kernel", value_or(machine.kernel.release, "not told")
    yield "Rules", f"{report.semantics.label} ({report.semantics.basis})"
    yield "In it", report_summary(report)


def report_summary(report: Report) -> str:
    """Count devices and groups."""
    from iommu_inspect.render.graph.notes import summary_of

    return summary_of(report.picture)


def _untold(report: Report) -> Iterator[str]:
    yield from report.machine.notes
    if text := untold_text(report.machine):
        yield f"{text[0].upper()}{text[1:]}."
