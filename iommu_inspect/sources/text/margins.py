"""Takes off lines what programs and scripts put before each: numbers, times, names.

Only what stands before a line that is about devices goes: times of a kernel's log say
which boot it is of, and are left to who reads that.
"""

from __future__ import annotations

import re

from iommu_inspect.sources.text.parts.forms import device_entry, heading, is_detail

__all__ = ["without_margin"]

_CLOCK = r"\d\d:\d\d:\d\d(?:[.,]\d{1,9})?"
_DATE = rf"\d{{4}}-\d\d-\d\d[T ]{_CLOCK}(?:Z|[+-]\d\d:?\d\d)?"
_SYSLOG = rf"[A-Z][a-z]{{2}} [ \d]\d {_CLOCK}"
_MARGIN = re.compile(
    r"(?:"
    r"(?=.{6}\t) *\d{1,6}\t"  # cat -n
    r"|(?:[\w./-]{0,80}\.(?:txt|log|md):)?\d{1,5}[:-] ?"  # grep -n
    r"|[\w./-]{1,80}\.(?:txt|log|md)[:-]"  # grep
    rf"|\[(?:{_DATE}|{_CLOCK})\] ?"
    rf"|(?:{_DATE}|{_CLOCK})[ \t]"
    rf"|(?:{_DATE}|{_SYSLOG}) (?:[\w.-]{{1,64}} )?"
    r"(?!kernel\b)[\w.@/-]{1,64}(?:\[\d{1,7}\])?: "
    r")"
)
# Scripts mark so which devices can be reset.
_RESET = re.compile(r"[ \t]{0,8}(?:Reset: ?)?\[(?:R|RESET|Reset|reset| )\](?=\s)")


def without_margin(line: str) -> str:
    """Return a line as it was before something was put before it."""
    found = _MARGIN.match(line)
    if found and not _is_ours(line.strip()):
        rest = _without_mark(line[found.end() :])
        if _is_ours(rest.strip()):
            return rest
    return _without_mark(line)


def _without_mark(line: str) -> str:
    """Put spaces in place of a mark; the columns say what belongs to what."""
    found = _RESET.match(line)
    return " " * found.end() + line[found.end() :] if found else line


def _is_ours(bare: str) -> bool:
    return (
        device_entry(bare, in_scope=False) is not None
        or heading(bare) is not None
        or is_detail(bare)
    )
