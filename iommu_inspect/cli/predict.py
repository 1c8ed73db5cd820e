"""``iommu-inspect predict``: the kernel's answer to each ownership operation."""

from __future__ import annotations

from typing import Annotated

import typer

from iommu_inspect.cli.options import Demo, Format, FormatOption, From, SemanticsOption

__all__ = ["predict_answers"]


def predict_answers(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DEVICE|group:ID]...", help="Only these; otherwise everything."
        ),
    ] = None,
    source: From = None,
    demo: Demo = False,
    semantics: SemanticsOption = "auto",
    output: FormatOption = Format.TABLE,
) -> None:
    """Show what the kernel would answer now to each ownership operation."""
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.kernel.operations import predict
    from iommu_inspect.model.target import find_target

    # Names are read only where a target may be given by a part of one.
    machine = load(source, numeric=not targets, demo=demo)
    rules = rules_of(machine, semantics)
    predictions = list(predict(machine, rules))
    if targets:
        found = [find_target(machine, text) for text in targets]
        addresses = {t.device.address for t in found if t.device}
        groups = {t.group.id for t in found if t.group}
        whole = {t.group.id for t in found if t.group and not t.device}
        predictions = [
            p
            for p in predictions
            if p.group in whole
            or p.target in addresses
            or (p.group in groups and p.target == p.group)
        ]
    if output is Format.JSON:
        from iommu_inspect.render.documents import predict_document, to_json

        emit(to_json(predict_document(machine, rules, predictions)))
    else:
        from iommu_inspect.render.predictions import predict_table

        if predictions:
            emit(predict_table(predictions, style()))
        if not rules.certain:
            complain(f"{rules.basis}; --semantics chooses a kernel")
    if not machine.groups_known:
        complain("the source holds no trace of IOMMU groups: it cannot tell them")
        raise typer.Exit(Exit.CANNOT_TELL)
