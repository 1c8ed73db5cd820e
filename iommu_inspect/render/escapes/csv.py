"""Text of a source in tables of comma-separated values, for spreadsheets too."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.text import printable

__all__ = ["row"]

# With these a spreadsheet takes a cell for a formula, the wide ones among them.
_FORMULAS = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def row(cells: Iterable[str | int | None]) -> str:
    """Return one line with its end (RFC 4180); every text is quoted.

    Before what would be a formula, or hides one behind spaces, stands an apostrophe:
    the spreadsheet then takes it for text. Numbers are written as they are, nothing is
    an empty cell.
    """
    return ",".join(map(_cell, cells)) + "\r\n"


def _cell(value: str | int | None) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return str(int(value))
    text = printable(value)
    if text.lstrip(" \u00a0'\"").startswith(_FORMULAS):
        text = f"'{text}"
    doubled = text.replace('"', '""')
    return f'"{doubled}"'
