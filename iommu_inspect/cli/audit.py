"""``iommu-inspect audit``: can these be handed to user space, and what blocks."""

from __future__ import annotations

from typing import Annotated

import typer

from iommu_inspect.cli.options import Demo, Format, FormatOption, From, SemanticsOption

__all__ = ["audit_targets"]


def audit_targets(
    targets: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[DEVICE|group:ID]...",
            help="What is to be handed over: 01:00.0, group:13, or a part of a name. "
            "Without any, the whole host is looked at.",
        ),
    ] = None,
    source: From = None,
    demo: Demo = False,
    semantics: SemanticsOption = "auto",
    strict: Annotated[
        bool, typer.Option("--strict", help="Make errors of warnings.")
    ] = False,
    notes: Annotated[
        bool, typer.Option("--notes", help="Show the notes (severity info) too.")
    ] = False,
    output: FormatOption = Format.TABLE,
) -> None:
    """Say whether devices can be handed to user space, what blocks, what to do.

    Exit code: 0 ready, 1 blocked, 2 usage, 3 cannot tell, 4 source unreadable.
    """
    from iommu_inspect.cli.exits import of_verdict
    from iommu_inspect.cli.output import emit, style
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.model.target import find_target
    from iommu_inspect.rules import audit

    machine = load(source, demo=demo)
    rules = rules_of(machine, semantics)
    found = tuple(find_target(machine, text) for text in dict.fromkeys(targets or ()))
    result = audit(machine, rules, found, strict=strict)
    if output is Format.JSON:
        from iommu_inspect.render.documents import audit_document, to_json

        emit(to_json(audit_document(machine, rules, result)))
    else:
        from iommu_inspect.render.verdict import audit_text

        emit(audit_text(result, style(), notes=notes))
    raise typer.Exit(of_verdict(result.verdict))
