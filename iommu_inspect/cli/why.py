"""``iommu-inspect why``: why a device shares its group, and whether it can grow."""

from __future__ import annotations

from typing import Annotated

import typer

from iommu_inspect.cli.options import Demo, Format, FormatOption, From, Numeric

__all__ = ["explain_group"]


def explain_group(
    devices: Annotated[
        list[str], typer.Argument(metavar="DEVICE...", help="Whose group to explain.")
    ],
    source: From = None,
    demo: Demo = False,
    output: FormatOption = Format.TABLE,
    numeric: Numeric = False,
) -> None:
    """Show why devices share their groups, and whether the groups can grow.

    The path from each device up to the root says where isolation is lost. Without
    root, configuration space is cut short and much cannot be told.
    """
    from iommu_inspect.cli.output import emit, style
    from iommu_inspect.cli.session import load
    from iommu_inspect.kernel.grouping import Grouping
    from iommu_inspect.kernel.growth import growth
    from iommu_inspect.kernel.semantics import applicable
    from iommu_inspect.kernel.sharing import sharing
    from iommu_inspect.model.target import find_target

    machine = load(source, numeric=numeric, demo=demo)
    grouping = Grouping(machine)
    targets = [find_target(machine, text) for text in devices]
    asked = [target.devices[0] for target in targets if target.devices]
    answers = []
    for device in asked:
        found = sharing(grouping, device)
        grows = growth(grouping, found.group) if found.group else None
        answers.append((found, grows))
    if output is Format.JSON:
        from iommu_inspect.render.documents import to_json
        from iommu_inspect.render.why import why_document

        emit(to_json(why_document(machine, applicable(machine.kernel), answers)))
    else:
        from iommu_inspect.render.why import why_text

        emit("\n\n".join(why_text(*answer, style()) for answer in answers))
