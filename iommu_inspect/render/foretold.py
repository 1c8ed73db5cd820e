"""Groups that are predicted: the text below the table of ``list``, and its JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from iommu_inspect.kernel.grouping.making.prediction import Foretold, Undecided
from iommu_inspect.model.text import listed, shown
from iommu_inspect.plan.host.looking_closer import Look, again_as_root, look
from iommu_inspect.render.documents.missing import doubt_fields, look_fields
from iommu_inspect.render.layout import Style
from iommu_inspect.render.text import fold

__all__ = ["foretold_fields", "foretold_text"]

_SUPPOSED = (
    "an IOMMU translates for every function here, and the kernel switches ACS on when "
    "it finds the ports"
)
_MOST_NAMES = 4


def foretold_text(found: Foretold, style: Style) -> str:
    """Say what is predicted, what that rests on, and what would change it."""
    blocks = [
        *_what(found, style),
        *_override(found, style),
        *_without(found, style),
        *_undecided(found, style),
    ]
    return "\n\n".join(blocks)


def _what(found: Foretold, style: Style) -> Iterator[str]:
    if not found.predicted:
        yield fold(
            "Nothing is predicted: the source shows the kernel's own groups, and those "
            "count.",
            style.width,
        )
        for each in found.differs:
            text = f"Isolation as it is seen gives another group {each.group.id}: "
            yield fold(f"{text}{each.because}.", style.width)
        return
    if found.machine.groups:
        text = (
            "Predicted groups: the source shows none. These are the ones that a kernel "
            f"would make, supposed that {_SUPPOSED}. Their numbers are not the "
            "kernel's."
        )
        yield fold(text, style.width)
    else:
        yield "No group can be predicted."
    if found.left_out:
        text = (
            'The source leaves functions of the host out. They may belong to any "?" '
            "group. 'lspci -vvvnn' without -s shows all."
        )
        yield fold(text, style.width)


def _override(found: Foretold, style: Style) -> Iterator[str]:
    if found.made_up is None:
        return
    word = shown(found.made_up)
    if found.predicted:
        text = (
            f"The host is booted with {word}. A kernel that knows it (it was never "
            "merged) shows smaller groups than these. They are not isolation."
        )
    else:
        text = (
            f"The host is booted with {word}. If its kernel knows that, devices of "
            "different groups may still reach each other: the groups are not isolation."
        )
    yield fold(text, style.width)


def _without(found: Foretold, style: Style) -> Iterator[str]:
    for device, word in found.without:
        text = f"{shown(device.address)} gets no group: the host is booted with "
        yield fold(f"{text}{shown(word)}.", style.width)


def _undecided(found: Foretold, style: Style) -> Iterator[str]:
    if not found.undecided:
        return
    lines = ['Not told ("-" in the table), for want of facts:']
    lines += [
        fold(f"{_names(each)}: {_why(each)}.", style.width, "  ", hanging="    ")
        for each in found.undecided
    ]
    yield "\n".join(lines)
    seen = _look(found)
    if seen is not None:
        who = ", as root" if seen.as_root else ""
        text = f"What is missing, on that host{who} (and give it with one more --from):"
        if found.machine.source.kind == "live":
            text = "What is missing:"
        yield f"{fold(text, style.width)}\n    {seen.line}"


def _look(found: Foretold) -> Look | None:
    seen = look(doubt for each in found.undecided for doubt in each.doubts)
    if seen is not None and seen.as_root and found.machine.source.kind == "live":
        return Look(again_as_root("list --predict-groups"), as_root=True)
    return seen


def _names(each: Undecided) -> str:
    names = [shown(device.address) for device in each.devices]
    more = len(names) - _MOST_NAMES
    if more > 1:
        names = [*names[:_MOST_NAMES], f"{more} more"]
    return listed(names)


def _why(each: Undecided) -> str:
    first = each.doubts[0].because
    more = len(each.doubts) - 1
    if more == 0:
        return first
    return f"{first} ({more} more fact{'' if more == 1 else 's'} missing)"


def foretold_fields(found: Foretold | None) -> dict[str, Any]:
    """Return what the document of ``list`` says of a prediction, null without one."""
    if found is None:
        return {"prediction": None}
    seen = _look(found)
    return {
        "prediction": {
            "predicted": found.predicted,
            "supposes": f"{_SUPPOSED}" if found.predicted else None,
            "complete": not found.left_out,
            "acs_override": found.made_up,
            "undecided": [_cluster(each) for each in found.undecided],
            "without_group": [
                {"address": device.address, "because": word}
                for device, word in found.without
            ],
            "differs": [
                {"group": each.group.id, "because": each.because}
                for each in found.differs
            ],
            **look_fields(seen),
        }
    }


def _cluster(each: Undecided) -> dict[str, Any]:
    return {
        "devices": [device.address for device in each.devices],
        "missing": doubt_fields(each.doubts),
        **look_fields(look(each.doubts)),
    }
