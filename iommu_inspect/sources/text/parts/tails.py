"""What scripts put behind a device, or below it: its driver, its group."""

from __future__ import annotations

import re

from iommu_inspect.model.dataclass import dataclass

__all__ = ["Tail", "driver_line", "is_driver_line", "tail_of"]

# Each sign fits one place only: a long name can be taken apart in one way.
_NAME = r"[a-z][\w+]*(?:-[\w+]+)*"
_DRIVER = (
    rf"(?:kernel )?driver(?: in use| loaded)?\s*[:=]\s*(?P<driver>{_NAME}|\(none\))"
)
_GROUP = r"IOMMU[ _-]?group\s*[:=#]?\s*(?P<group>\d{1,6})"
# What a description ends with, or something that no description has.
_APART = r"(?:(?<=[\])])\s*|\s{2,}|\s*[,;|]\s*|\s+--?\s+|\s+(?=[\[(]))(?:--?\s+)?"
_TAIL = re.compile(
    rf"{_APART}(?P<open>[\[(])?(?:{_DRIVER}|{_GROUP})(?(open)[\])])\s*$", re.I
)
_LINE = re.compile(
    rf"(?:[-*>=\u2013\u2014\u2192\u21b3\u2514\u2500]+\s*)?{_DRIVER}", re.I
)
# What stands where a name would, and is none.
_NO_NAMES = frozenset({"n", "na", "no", "none", "null", "nil", "unknown", "unbound"})


@dataclass(frozen=True, slots=True)
class Tail:
    """What stands behind a description: a driver, a group; "" where nothing does."""

    text: str
    driver: str = ""
    group: str = ""


def tail_of(text: str) -> Tail:
    """Part a description from what a script put behind it."""
    driver = group = ""
    for _ in range(2):
        found = _TAIL.search(text, max(0, len(text) - 80))
        if found is None:
            break
        text = text[: found.start()].rstrip()
        driver = driver or _named(found["driver"])
        group = group or str(int(found["group"] or -1)).replace("-1", "")
    return Tail(text, driver, group)


def is_driver_line(bare: str) -> bool:
    """Say whether a line names a driver and nothing else."""
    return _LINE.fullmatch(bare) is not None


def driver_line(bare: str) -> str:
    """Return the driver that a line names, or "" where it names none."""
    found = _LINE.fullmatch(bare)
    return _named(found["driver"]) if found else ""


def _named(word: str | None) -> str:
    return "" if word is None or word.strip("()").lower() in _NO_NAMES else word
