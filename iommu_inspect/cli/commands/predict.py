"""``iommu-inspect predict``: the kernel's answer to each ownership operation."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated

from iommu_inspect.cli.declared import Argument, Completes, Option
from iommu_inspect.cli.options import (
    NAMES,
    NO_GROUPS,
    Color,
    ColorOption,
    Demo,
    Format,
    FormatOption,
    From,
    SemanticsOption,
)
from iommu_inspect.model.asked.usage import BadRequestError

if TYPE_CHECKING:
    from iommu_inspect.kernel.eras import Semantics
    from iommu_inspect.kernel.ownership.comparison import Comparison
    from iommu_inspect.kernel.ownership.inquiry import Prediction
    from iommu_inspect.model.machine import Machine

__all__ = ["predict_answers"]


def predict_answers(
    targets: Annotated[
        list[str] | None,
        Argument(
            metavar="[DEVICE|group:ID]...",
            completes=Completes.TARGET,
            help=f"Only these; otherwise everything. {NAMES}.",
        ),
    ] = None,
    source: From = None,
    demo: Demo = False,
    semantics: SemanticsOption = "auto",
    output: FormatOption = Format.TABLE,
    compare: Annotated[
        str | None,
        Option(
            "--compare",
            metavar="RULES,RULES...",
            completes=Completes.SEMANTICS,
            help="Show only the answers that differ between these; each as for "
            "--semantics.",
        ),
    ] = None,
    color: ColorOption = Color.AUTO,
) -> None:
    """Show what the kernel would answer now to each ownership operation."""
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain
    from iommu_inspect.cli.session import load, rules_of

    if compare is not None and semantics != "auto":
        raise BadRequestError("--compare and --semantics exclude each other")
    # Names are read only where a target may be given by a part of one.
    machine = load(source, numeric=not targets, demo=demo)
    asked = _asked(machine, targets)
    told = True
    if compare is None:
        told = _predict(machine, rules_of(machine, semantics), asked, output, color)
    else:
        _compare(machine, _compared(machine, compare), asked, output, color)
    if not told:
        sys.exit(Exit.CANNOT_TELL)
    if not machine.groups_known:
        complain(NO_GROUPS)
        sys.exit(Exit.CANNOT_TELL)


def _asked(
    machine: Machine, targets: list[str] | None
) -> Callable[[Prediction | Comparison], bool]:
    """Return what says whether an answer is about what was asked for."""
    from iommu_inspect.model.asked.target import find_targets

    if not targets:
        return lambda _: True
    found = find_targets(machine, targets)
    devices = {t.device.id for t in found if t.device}
    groups = {t.group.id for t in found if t.group}
    whole = {t.group.id for t in found if t.group and not t.device}
    return lambda p: (
        p.group in whole
        or p.target in devices
        or (p.group in groups and p.target == p.group)
    )


def _predict(
    machine: Machine,
    rules: Semantics,
    asked: Callable[[Prediction | Comparison], bool],
    output: Format,
    color: Color,
) -> bool:
    """Show the answers, and say whether any of them, or none, could be told."""
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.kernel.answers import UNKNOWN
    from iommu_inspect.kernel.ownership.inquiry import Inquiry

    predictions = [p for p in Inquiry(machine, rules).predictions() if asked(p)]
    results = {p.answer.result for p in predictions} - {"n/a"}
    told = results != {UNKNOWN} or not machine.groups_known
    if output is Format.JSON:
        from iommu_inspect.render.documents.common import predict_document, to_json

        emit(to_json(predict_document(machine, rules, predictions)))
        return told
    from iommu_inspect.render.predictions import predict_table

    if predictions:
        emit(predict_table(predictions, style(color)))
    if not rules.certain:
        complain(f"{rules.basis}; --semantics chooses a kernel")
    return told


def _compared(machine: Machine, text: str) -> list[Semantics]:
    """Return the rules that ``--compare`` names, each once, in its order.

    Raises:
        UnknownSemanticsError: one of them names neither a release nor a rule set.
    """
    from iommu_inspect.cli.session import rules_of

    words = [word for word in dict.fromkeys(map(str.strip, text.split(","))) if word]
    if len(words) < 2:
        raise BadRequestError(
            "--compare needs two or more, such as 5.10,6.12,proposed-single-driver"
        )
    return [rules_of(machine, word) for word in words]


def _compare(
    machine: Machine,
    rules: list[Semantics],
    asked: Callable[[Prediction | Comparison], bool],
    output: Format,
    color: Color,
) -> None:
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.kernel.ownership.comparison import compare
    from iommu_inspect.render.comparison import comparison_document, comparison_text

    comparisons = [each for each in compare(machine, rules) if asked(each)]
    if output is Format.JSON:
        from iommu_inspect.render.documents.common import to_json

        emit(to_json(comparison_document(machine, rules, comparisons)))
        return
    emit(comparison_text(comparisons, rules, style(color)))
    for each in rules:
        if not each.certain:
            complain(f"{each.basis}; name a kernel")
