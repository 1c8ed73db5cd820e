"""How much of anything is read: far above what machines have, so that none is hurt.

A source comes from somebody else. What is past a bound is refused in one line, exit
code 4: a part of it would be a wrong answer. Bounds on bytes, names and links of single
files are where files are read (`tree/`).
"""

from __future__ import annotations

from iommu_inspect.sources.errors import SourceError

__all__ = [
    "MAX_DEVICES",
    "MAX_GROUP",
    "MAX_GROUPS",
    "MAX_LINES",
    "check_devices",
    "check_group",
    "check_groups",
    "check_lines",
]

MAX_DEVICES = 65_536
"""Devices: all functions of a whole PCI segment, 256 buses of 256 functions."""
MAX_GROUP = 4096
"""Members of one group: sixteen whole buses. Most have one, few a hundred."""
MAX_GROUPS = 65_536
"""Groups: one for each device."""
MAX_LINES = 400_000
"""Lines of a text: those of ``lspci -vvv`` of a host with 10,000 functions."""


def check_devices(count: int, label: str) -> None:
    """Refuse a source that shows more devices than any machine has.

    Raises:
        SourceError: it does.
    """
    _check(count, MAX_DEVICES, label, "devices", "capture one host, and it once")


def check_groups(count: int, label: str) -> None:
    """Refuse a source that shows more groups than any machine has.

    Raises:
        SourceError: it does.
    """
    _check(count, MAX_GROUPS, label, "IOMMU groups", "capture one host, and it once")


def check_group(group_id: str, count: int, label: str) -> None:
    """Refuse a source that shows more members in a group than there can be.

    Raises:
        SourceError: it does.
    """
    what = f"devices in group {group_id[:20]}"
    _check(count, MAX_GROUP, label, what, "look whether several hosts are in it")


def check_lines(count: int, label: str) -> None:
    """Refuse a text that is longer than what any machine says about its devices.

    Raises:
        SourceError: it is.
    """
    _check(count, MAX_LINES, label, "lines", "give the part about devices and groups")


def _check(count: int, most: int, label: str, what: str, remedy: str) -> None:
    if count > most:
        raise SourceError(
            f"cannot read {label}: it has {count:,} {what}, and {most:,} are read; "
            f"{remedy}"
        )
