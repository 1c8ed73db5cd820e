"""``iommu-inspect graph``: the machine as a picture."""

from __future__ import annotations

import enum
import sys
from typing import Annotated

from iommu_inspect.cli.declared import Argument, Completes, Option
from iommu_inspect.cli.options import (
    NAMES,
    NO_GROUPS,
    Color,
    ColorOption,
    Demo,
    From,
    Numeric,
    SemanticsOption,
)

__all__ = ["Drawn", "draw_machine"]


class Drawn(enum.StrEnum):
    """In which language to draw."""

    TREE = "tree"
    SVG = "svg"
    DOT = "dot"
    MERMAID = "mermaid"


def draw_machine(
    targets: Annotated[
        list[str] | None,
        Argument(
            metavar="[DEVICE|group:ID]...",
            completes=Completes.TARGET,
            help=f"Draw only the branches that these are on: {NAMES}. With a device "
            "come those that share its group.",
        ),
    ] = None,
    source: From = None,
    demo: Demo = False,
    semantics: SemanticsOption = "auto",
    numeric: Numeric = False,
    output: Annotated[
        Drawn,
        Option(
            "--format",
            help="A tree for the terminal, an SVG, DOT for Graphviz, or Mermaid for "
            "issues and forums.",
        ),
    ] = Drawn.TREE,
    color: ColorOption = Color.AUTO,
) -> None:
    """Draw root buses, bridges and devices, with their groups and who owns them.

    Where a group loses isolation is marked and said in words; what may come into a
    group is dashed. Functions that are alike are one box.

    Exit code: 0 drawn, 2 usage, 3 the source does not tell the groups, 4 source
    unreadable.
    """
    from iommu_inspect.audit.picture import picture_of
    from iommu_inspect.cli.exits import Exit
    from iommu_inspect.cli.output import complain, emit, style
    from iommu_inspect.cli.session import load, rules_of
    from iommu_inspect.kernel.ownership.inquiry import Inquiry
    from iommu_inspect.model.asked.target import find_targets
    from iommu_inspect.render.graph.building import scene_of
    from iommu_inspect.render.graph.folding import folded_for
    from iommu_inspect.render.graph.narrowing import narrowed

    machine = load(source, numeric=numeric, demo=demo)
    rules = rules_of(machine, semantics)
    found = find_targets(machine, targets or ())
    asked = [device for target in found for device in target.devices]
    scene = scene_of(picture_of(Inquiry(machine, rules)), asked)
    if targets:
        groups = [target.group for target in found if target.group]
        beside = [device for group in groups for device in group.devices]
        scene = narrowed(scene, {device.id for device in [*asked, *beside]})
    scene = folded_for(scene)
    if output is Drawn.TREE:
        from iommu_inspect.render.graph.tree import scene_tree

        emit(scene_tree(scene, style(color)))
    elif output is Drawn.SVG:
        from iommu_inspect.render.graph.svg import scene_svg

        emit(scene_svg(scene))
    elif output is Drawn.DOT:
        from iommu_inspect.render.graph.dot import scene_dot

        emit(scene_dot(scene))
    else:
        from iommu_inspect.render.graph.mermaid import scene_mermaid

        emit(scene_mermaid(scene))
    if not machine.groups_known:
        complain(NO_GROUPS)
        sys.exit(Exit.CANNOT_TELL)
