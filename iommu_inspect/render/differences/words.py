"""Words of ``diff`` that several of its parts share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.audit.summary import Possible
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.render.devices import device_name
from iommu_inspect.render.layout import Style
from iommu_inspect.render.text import fold

__all__ = ["WHEN", "block", "counted", "group_name", "ids", "line"]

WHEN = {
    Possible.NOW: "at once",
    Possible.AFTER: "after a step or more",
    Possible.NEVER: "not at all",
    Possible.UNKNOWN: "unknown",
}
_MOST_LINES = 24
_MOST_IDS = 12


def block(
    title: str, lines: Sequence[str], style: Style, colour: str = "", rest: str = ""
) -> str:
    """Return a title and what it is said of; of very many the first are shown."""
    word, _, more = fold(title, style.width, hanging="  ").partition(":")
    painted = (style.paint(word, colour) if colour else word) + f":{more}"
    shown = [fold(text, style.width, "  ", "      ") for text in lines[:_MOST_LINES]]
    if len(lines) > _MOST_LINES:
        left = len(lines) - _MOST_LINES
        shown.append(f"  and {left} more (--format json has all)")
    return "\n".join([painted, *shown, *([rest] if rest else [])])


def line(device: Device, what: str = "") -> str:
    """Name a device; what is said of it stands between its address and its name."""
    told = not device.is_pci or known(device.ids.class_code) or device.ids.pair
    name = device_name(device) if told else ""
    return "  ".join(filter(None, (device.address, what, name)))


def ids(groups: Iterable[Group]) -> str:
    """Name groups by their ids: ``3``, ``3 and 4``, ``3, 4 and 5``."""
    words = [group.id for group in groups]
    if len(words) > _MOST_IDS:
        words = [*words[: _MOST_IDS - 1], f"{len(words) - _MOST_IDS + 1} more"]
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def group_name(before: Group, after: Group) -> str:
    """Name a group by its id now, and by the one that it had, if that is another."""
    was = "" if before.id == after.id else f" (was {before.id})"
    return f"group {after.id}{was}"


def counted(count: int, noun: str) -> str:
    """Return a number with its noun: ``1 device``, ``2 devices``."""
    return f"{count} {noun}{'' if count == 1 else 's'}"
