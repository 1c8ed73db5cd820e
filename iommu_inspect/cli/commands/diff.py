"""``iommu-inspect diff``: what changed between two sources."""

from __future__ import annotations

import sys
from typing import Annotated

from iommu_inspect.cli.declared import Argument
from iommu_inspect.cli.options import (
    Color,
    ColorOption,
    For,
    Format,
    FormatOption,
    ForOption,
    Numeric,
    SemanticsOption,
)
from iommu_inspect.model.asked.usage import BadRequestError

__all__ = ["diff_sources"]

_SOURCES = "Whatever --from takes: a directory, a tar, a text; - is standard input."


def diff_sources(
    before: Annotated[str, Argument(metavar="BEFORE", help=_SOURCES)],
    after: Annotated[
        str | None,
        Argument(metavar="[AFTER]", help="The same; without it, this host."),
    ] = None,
    purpose: ForOption = For.VFIO,
    semantics: SemanticsOption = "auto",
    numeric: Numeric = False,
    output: FormatOption = Format.TABLE,
    color: ColorOption = Color.AUTO,
) -> None:
    """Show what changed between two sources in groups, owners, drivers and verdicts.

    Devices are matched by what they are, not by their numbers, and renumbered groups
    are no difference. What one source does not show is not a change.

    Exit code: 0 the same, 1 different, 2 usage, 3 cannot tell, 4 source unreadable.
    """
    from iommu_inspect.audit.differences.differing import differences
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import emit, style
    from iommu_inspect.cli.progress import telling
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.rules.finding import Purpose

    if before == after == "-":
        raise BadRequestError("only one of the two can be standard input")
    old = load(before, numeric=numeric, processes=True)
    new = load(after, numeric=numeric, processes=True)
    rules = (rules_of(old, semantics), rules_of(new, semantics))
    with telling(lambda: "comparing the two"):
        found = differences(old, new, rules, purpose=Purpose(purpose.value))
    if output is Format.JSON:
        from iommu_inspect.render.documents.common import to_json
        from iommu_inspect.render.documents.diff import diff_document

        emit(to_json(diff_document(found, rules)))
    else:
        from iommu_inspect.render.differences.text import diff_text

        emit(diff_text(found, style(color)))
    if found.same is None:
        sys.exit(Exit.CANNOT_TELL)
    sys.exit(Exit.OK if found.same else Exit.BLOCKED)
