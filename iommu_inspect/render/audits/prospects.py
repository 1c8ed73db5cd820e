"""The text about a whole host: what could be handed over, and when."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby

from iommu_inspect.audit.summary import Possible, Prospect
from iommu_inspect.model.device import Device
from iommu_inspect.render.devices import device_name, kind_name
from iommu_inspect.render.layout import Style, table
from iommu_inspect.render.text import fold

__all__ = ["WHEN", "prospects_table", "prospects_text"]

WHEN = {
    Possible.NOW: "now",
    Possible.AFTER: "after a step or more",
    Possible.UNKNOWN: "cannot be told",
    Possible.NEVER: "not as this machine is",
}
_COLOURS = {"now": "green", "after": "yellow", "unknown": "yellow", "never": "red"}
_MOST_NAMES = 8
# How much of a large host is shown unless everything is asked for.
_MOST_ROWS = 100
_FEW = 3
_MOST_MEMBERS = 24


def prospects_text(prospects: Iterable[Prospect], phrase: str, style: Style) -> str:
    """Return one paragraph for each answer, with the devices that have it."""
    by_answer: dict[Possible, list[Device]] = {possible: [] for possible in WHEN}
    for prospect in prospects:
        by_answer[prospect.possible] += prospect.devices
    lines = [
        fold(f"{WHEN[possible]}: {_with_kinds(devices)}", style.width, "  ", "    ")
        for possible, devices in by_answer.items()
        if devices
    ]
    if not lines:
        return ""
    title = fold(f"What could {phrase} (more about it: --summary):", style.width)
    return "\n".join([title, *lines])


def _with_kinds(devices: Sequence[Device]) -> str:
    """Name the first of them; the kind stands behind the last of a run."""
    shown = devices[:_MOST_NAMES]
    runs = (
        f"{', '.join(d.address for d in run)} ({kind})"
        for kind, run in groupby(shown, kind_name)
    )
    more = len(devices) - len(shown)
    return ", ".join([*runs, *([f"{more} more"] if more else [])])


def _some(names: Sequence[str]) -> str:
    more = len(names) - _MOST_NAMES
    cut = [*names[:_MOST_NAMES], *([f"{more} more"] if more > 0 else [])]
    return ", ".join(cut)


def prospects_table(
    prospects: Sequence[Prospect],
    style: Style,
    *,
    alike: Iterable[Sequence[Prospect]] = (),
    verbose: bool = False,
) -> str:
    """Return a row a device; what its group has to have done stands with it.

    Of a large host a few groups are shown for each answer, and the rest counted;
    ``alike`` is the prospects by what is said of them.
    """
    rows = [row for prospect in prospects for row in _rows(prospect)]
    if len(rows) > _MOST_ROWS and not verbose:
        rows = list(_some_rows(alike))
    headers = ["WHEN", "GROUP", "DEVICE", "WHAT IT IS, AND WHAT COMES FIRST"]
    return table(headers, rows, style, paints={0: _COLOURS}) if rows else ""


def _some_rows(alike: Iterable[Sequence[Prospect]]) -> Iterator[list[str]]:
    shown = left = 0
    for several in alike:
        some = several[:_FEW] if shown < _MOST_ROWS else ()
        more = several[len(some) :]
        rows = [row for prospect in some for row in _rows(prospect)]
        shown += len(rows)
        yield from rows
        if more and some:
            yield _more(more)
        else:
            left += len(more)
    if left:
        yield ["", f"{left} more", "", "(--verbose)"]


def _rows(prospect: Prospect) -> list[list[str]]:
    first = [prospect.possible.value, prospect.group or "-"]
    why = "; ".join(prospect.steps) or prospect.because
    rows = []
    for device in prospect.devices[:_MOST_MEMBERS]:
        rows.append([*first, device.address, device_name(device)])
        first = ["", ""]
    more = len(prospect.devices) - len(rows)
    if more:
        rows.append(["", "", f"{more} more", ""])
    if why and len(rows) == 1:
        rows[0][-1] = f"{rows[0][-1]}: {why}"
    elif why:
        rows.append(["", "", "", f"all: {why}"])
    return rows


def _more(prospects: Sequence[Prospect]) -> list[str]:
    devices = [d.address for each in prospects for d in each.devices]
    names = _some(devices)
    count = f"{len(prospects)} more"
    return [prospects[0].possible.value, count, "", f"the same of {names} (--verbose)"]
