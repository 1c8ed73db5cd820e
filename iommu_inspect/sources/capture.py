"""What kind of source something is, by its content; the names of files say nothing."""

from __future__ import annotations

from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import Text
from iommu_inspect.sources.tree.tree import Tree

__all__ = ["read_source"]


def read_source(opened: Tree | Text, *, processes: bool = False) -> Machine:
    """Read the machine out of what was opened.

    Args:
        opened: Files, or a text.
        processes: Whether to look at what the processes have open (`read_host`).

    Raises:
        SourceError: It is a text of no known kind.
    """
    if isinstance(opened, Tree):
        return read_machine(opened, processes=processes)
    from iommu_inspect.sources.text.lspci import looks_like_lspci, read_lspci

    if looks_like_lspci(opened.content):
        return read_lspci(opened.content, opened.label)
    raise SourceError(
        f"cannot read {opened.label}: a text, but not lspci's; a directory or a tar "
        "that holds sys/ is expected, or the output of 'lspci -vvvnnk'"
    )
