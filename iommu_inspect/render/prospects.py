"""The text about a whole host: what could be handed over, and when."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.audit.summary import Possible, Prospect
from iommu_inspect.render.layout import Style, table
from iommu_inspect.render.text import fold

__all__ = ["prospects_table", "prospects_text"]

_WORDS = {
    Possible.NOW: "now",
    Possible.AFTER: "after a step or more",
    Possible.UNKNOWN: "cannot be told",
    Possible.NEVER: "not as this machine is",
}
_COLOURS = {"now": "green", "after": "yellow", "unknown": "yellow", "never": "red"}
_MOST_NAMES = 8


def prospects_text(prospects: Iterable[Prospect], phrase: str, style: Style) -> str:
    """Return one paragraph for each answer, with the devices that have it."""
    by_answer: dict[Possible, list[str]] = {possible: [] for possible in _WORDS}
    for prospect in prospects:
        by_answer[prospect.possible] += [d.address for d in prospect.devices]
    lines = [
        fold(f"{_WORDS[possible]}: {_some(names)}", style.width, "  ", "    ")
        for possible, names in by_answer.items()
        if names
    ]
    if not lines:
        return ""
    title = fold(f"What could {phrase} (more about it: --summary):", style.width)
    return "\n".join([title, *lines])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    cut = [*names[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])]
    return ", ".join(cut)


def prospects_table(prospects: Iterable[Prospect], style: Style) -> str:
    """Return a row a device; what its group has to have done stands beside it."""
    rows = []
    for prospect in prospects:
        first = [prospect.possible.value, prospect.group or "-"]
        why = "; ".join(prospect.steps) or prospect.because
        for device in prospect.devices:
            rows.append([*first, device.address, why])
            first, why = ["", ""], ""
    if not rows:
        return ""
    headers = ["WHEN", "GROUP", "DEVICE", "FIRST"]
    return table(headers, rows, style, paints={0: _COLOURS})
