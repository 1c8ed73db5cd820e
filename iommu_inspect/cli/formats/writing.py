"""Writes a result to a file, whole or not at all."""

from __future__ import annotations

from iommu_inspect.cli.exits import Exit
from iommu_inspect.cli.output import complain, ending_in_order
from iommu_inspect.model.text import printable_lines
from iommu_inspect.sources.tree.saving import save

__all__ = ["write"]


def write(file: str, text: str) -> None:
    """Save a text under another name, and rename the file when it is whole.

    Raises:
        SystemExit: it could not be written; that has been said.
    """
    try:
        with ending_in_order():
            save(
                file, [printable_lines(text).encode("utf-8", "backslashreplace"), b"\n"]
            )
    except OSError as error:
        complain(f"cannot write {file}: {error.strerror}")
        raise SystemExit(Exit.INTERNAL) from None
    complain(f"wrote {file}")
