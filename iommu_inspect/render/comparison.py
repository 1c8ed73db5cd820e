"""The text and the document of ``predict --compare``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, zip_longest
from typing import Any

from iommu_inspect.kernel.answers import NOT_APPLICABLE, Answer
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.ownership.comparison import Comparison
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed
from iommu_inspect.render.documents.common import answer_fields, source_fields
from iommu_inspect.render.layout import PLAIN, Style
from iommu_inspect.render.predictions import result_colour
from iommu_inspect.render.text import fold

__all__ = ["comparison_document", "comparison_text"]

_NARROWEST = 16


def comparison_text(
    comparisons: Sequence[Comparison],
    rules: Sequence[Semantics],
    style: Style = PLAIN,
) -> str:
    """Return the answers that differ, group by group, and how many there are.

    Operations of a group that have the same answers for the same reasons share them.
    """
    different = [c for c in comparisons if c.differs]
    labels = [each.label for each in rules]
    blocks = []
    for group, found in groupby(different, key=lambda c: c.group):
        lines = ["no group" if group is None else f"group {group}"]
        alike: dict[tuple[str, tuple[Answer, ...]], list[str]] = {}
        for each in found:
            alike.setdefault((each.operation, each.answers), []).append(
                str(each.target)
            )
        for (operation, answers), targets in alike.items():
            asked = "" if targets == [group] else f" {', '.join(targets)}"
            lines.append(fold(operation + asked, style.width, "  ", "      "))
            lines += _answers(labels, answers, style)
        blocks.append("\n".join(lines))
    blocks.append(fold(_sum(len(different), len(comparisons), labels), style.width))
    blocks += [fold(text, style.width) for text in _lacking(comparisons, labels)]
    return "\n\n".join(blocks)


def _answers(
    labels: Sequence[str], answers: Sequence[Answer], style: Style
) -> list[str]:
    """Return a line for each different answer, after the names of who gives it."""
    by: dict[tuple[str, str], list[str]] = {}
    for label, answer in zip(labels, answers, strict=True):
        by.setdefault((answer.result, answer.because), []).append(label)
    room = max(style.width // 2 - 6, _NARROWEST)
    names = [fold(", ".join(found), room).split("\n") for found in by.values()]
    results = [result for result, _ in by]
    first = max(len(line) for lines in names for line in lines)
    second = max(map(len, results)) + 2
    lines = []
    for name, (result, because) in zip(names, by, strict=True):
        left = "    " + " " * (first + 2 + second)
        said = fold(because, style.width, left, left).split("\n")
        for label, result_here, text in zip_longest(name, [result], said, fillvalue=""):
            painted = style.paint(result_here, result_colour(result)) + " " * (
                second - len(result_here)
            )
            line = f"    {label:<{first}}  {painted}{text[len(left) :]}"
            lines.append(line.rstrip())
    return lines


def _sum(different: int, of: int, labels: Sequence[str]) -> str:
    names = f"{', '.join(labels[:-1])} and {labels[-1]}"
    if not of:
        return "There are no IOMMU groups here to ask about."
    if not different:
        return f"All {of} answers are the same under {names}."
    return f"{different} of {of} answers are not the same under {names}."


def _lacking(comparisons: Sequence[Comparison], labels: Sequence[str]) -> Iterator[str]:
    """Say which calls do not exist everywhere; that is no difference of a group."""
    lacking: dict[str, dict[str, None]] = {}
    for each in comparisons:
        for label, answer in zip(labels, each.answers, strict=True):
            if answer.result == NOT_APPLICABLE:
                lacking.setdefault(each.operation, {})[label] = None
    alike: dict[tuple[str, ...], list[str]] = {}
    for operation, without in lacking.items():
        alike.setdefault(tuple(without), []).append(operation)
    for kernels, operations in alike.items():
        exist = "does not exist" if len(operations) == 1 else "do not exist"
        yield f"({listed(operations)} {exist} in {', '.join(kernels)}.)"


def comparison_document(
    machine: Machine, rules: Iterable[Semantics], comparisons: Sequence[Comparison]
) -> dict[str, Any]:
    """Build ``iommu-inspect/comparison/1``."""
    rules = tuple(rules)
    return {
        "schema": "iommu-inspect/comparison/1",
        "source": source_fields(machine),
        "compared": [
            {"semantics": each.label, "semantics_basis": each.basis} for each in rules
        ],
        "answers": len(comparisons),
        "differences": [
            {
                "operation": each.operation,
                "target": str(each.target),
                "group": each.group,
                "answers": [
                    {"semantics": label.label, **answer_fields(answer)}
                    for label, answer in zip(rules, each.answers, strict=True)
                ],
            }
            for each in comparisons
            if each.differs
        ],
    }
