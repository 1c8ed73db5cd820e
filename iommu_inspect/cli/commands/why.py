"""``iommu-inspect why``: why a device shares its group, and whether it can grow."""

from __future__ import annotations

import sys
from typing import Annotated

from iommu_inspect.cli.declared import Argument, Completes
from iommu_inspect.cli.options import (
    NAMES,
    Color,
    ColorOption,
    Demo,
    Format,
    FormatOption,
    From,
    Numeric,
)

__all__ = ["explain_group"]


def explain_group(
    devices: Annotated[
        list[str],
        Argument(
            completes=Completes.DEVICE,
            metavar="DEVICE...",
            help=f"Whose group to explain: {NAMES}.",
        ),
    ],
    source: From = None,
    demo: Demo = False,
    output: FormatOption = Format.TABLE,
    numeric: Numeric = False,
    color: ColorOption = Color.AUTO,
) -> None:
    """Show why devices share their groups, and whether the groups can grow.

    The path from each device up to the root says where isolation is lost. With
    several devices, it says first whether and why they share a group. Without root,
    configuration space is cut short and much cannot be told.

    Exit code: 0 told, 2 usage, 3 the group or a reason cannot be told, 4 source
    unreadable.
    """
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.cli.session import load
    from iommu_inspect.kernel.eras import applicable
    from iommu_inspect.kernel.grouping.growth import Growing
    from iommu_inspect.kernel.grouping.making.joining import Grouping
    from iommu_inspect.kernel.grouping.making.recompute import recompute
    from iommu_inspect.kernel.grouping.telling.sharing import pair, sharing
    from iommu_inspect.model.asked.target import find_targets

    machine = load(source, numeric=numeric, demo=demo)
    grouping = Grouping(machine)
    growing = Growing(grouping)
    found = recompute(machine)
    targets = find_targets(machine, devices)
    asked = [target.devices[0] for target in targets if target.devices]
    empty = [target.text for target in targets if not target.devices]
    for text in empty:
        complain(f"the source shows no device in {text}: it tells no reason")
    if not asked:
        sys.exit(Exit.CANNOT_TELL)
    answers = []
    for device in asked:
        shares = sharing(grouping, device, found)
        grows = growing.growth(shares.group) if shares.group else None
        answers.append((shares, grows))
    others = [device for device in asked[1:] if device is not asked[0]]
    pairs = [pair(grouping, found, asked[0], other) for other in others]
    if output is Format.JSON:
        from iommu_inspect.render.documents.common import to_json
        from iommu_inspect.render.documents.why import why_document

        semantics = applicable(machine.kernel)
        emit(to_json(why_document(machine, semantics, answers, pairs)))
    else:
        from iommu_inspect.render.why import why_text

        emit(why_text(answers, pairs, style(color)))
    told = all(shares.told for shares, _ in answers)
    if empty or not told or any(each.shared is None for each in pairs):
        sys.exit(Exit.CANNOT_TELL)
