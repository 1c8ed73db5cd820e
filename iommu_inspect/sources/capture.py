"""What kind of source something is, by its content; the names of files say nothing."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.sysfs.settled import read_settled
from iommu_inspect.sources.tree.opening import Text
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["read_source", "read_sources"]


def read_source(opened: Tree | Text, *, processes: bool = False) -> Machine:
    """Read the machine out of what was opened; see `read_sources`."""
    return read_sources([opened], processes=processes)


def read_sources(
    opened: Sequence[Tree | Text], *, processes: bool = False, brief: bool = False
) -> Machine:
    """Read one machine out of all that was opened of it.

    Args:
        opened: Files (at most one such), and texts.
        processes: Whether to look at what the processes have open (`read_host`).
        brief: Whether a list is all that is wanted (`read_machine`).

    Raises:
        SourceError: A text is of no known kind, or they are not of one machine.
    """
    trees = [each for each in opened if isinstance(each, Tree)]
    texts = [(each.content, each.label) for each in opened if isinstance(each, Text)]
    if len(trees) > 1:
        raise SourceError(
            f"cannot read {trees[0].label} and {trees[1].label} as one machine: both "
            "are captures; 'iommu-inspect diff' compares two"
        )
    if not trees:
        from iommu_inspect.sources.text.machine import read_texts

        return read_texts(texts)
    alone = len(opened) == 1
    machine = read_settled(trees[0], processes=processes, brief=brief and alone)
    if not texts:
        return machine
    from iommu_inspect.sources.text.completing import completed

    return completed(machine, texts)
