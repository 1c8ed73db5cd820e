"""Numbers as sysfs writes them; anything else is no number."""

from __future__ import annotations

import re

from iommu_inspect.model.fact import Fact, Missing

__all__ = ["decimal", "hexadecimal"]

_DECIMAL = re.compile(r"[0-9]+")
_HEXADECIMAL = re.compile(r"0x([0-9a-fA-F]+)")


def decimal(text: str, digits: int = 9) -> Fact[int]:
    """Return the value of ``42`` if it has at most so many digits."""
    if len(text) > digits or _DECIMAL.fullmatch(text) is None:
        return Missing.UNREADABLE
    return int(text)


def hexadecimal(text: str, digits: int, *, exactly: bool = False) -> Fact[int]:
    """Return the value of ``0x8086`` if it has at most, or ``exactly``, so many digits.

    A number that the kernel fills up with zeros and that is shorter was cut off.
    """
    match = _HEXADECIMAL.fullmatch(text)
    if match is None or len(match[1]) > digits:
        return Missing.UNREADABLE
    if exactly and len(match[1]) < digits:
        return Missing.TRUNCATED
    return int(match[1], 16)
