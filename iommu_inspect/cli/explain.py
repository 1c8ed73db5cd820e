"""``iommu-inspect explain``: the rules' pages."""

from __future__ import annotations

from typing import Annotated

import typer

from iommu_inspect.cli.options import Format, FormatOption

__all__ = ["explain_rule"]


def explain_rule(
    rule: Annotated[
        str | None, typer.Argument(help="The rule's id; without it, all are listed.")
    ] = None,
    output: FormatOption = Format.TABLE,
) -> None:
    """Show a rule's page: what it checks, why, kernel sources, remedy."""
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.model.usage import close_matches
    from iommu_inspect.rules._pages import page
    from iommu_inspect.rules.registry import RULES, find_rule

    found = RULES if rule is None else tuple(filter(None, [find_rule(rule)]))
    if not found:
        near = close_matches(str(rule), (known.id for known in RULES))
        hint = near or "; 'explain' lists them"
        complain(f"there is no rule {rule!r}{hint}")
        raise typer.Exit(Exit.USAGE)
    if output is Format.JSON:
        from iommu_inspect.render.documents import explain_document, to_json

        emit(to_json(explain_document([(known, page(known)) for known in found])))
    elif rule is None:
        from iommu_inspect.render.layout import table

        rows = [[known.id, known.about.summary] for known in RULES]
        emit(table(["RULE", "WHAT IT FINDS"], rows, style(), paints={}))
    else:
        emit(page(found[0]).rstrip("\n"))
