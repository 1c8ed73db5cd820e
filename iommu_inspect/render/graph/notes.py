"""What a picture says in sentences: what is in it, and what it cannot show."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.audit.picture import Picture
from iommu_inspect.model.text import natural_key
from iommu_inspect.render.graph.ranges import numbers

__all__ = ["notes_of", "summary_of"]


def summary_of(picture: Picture) -> str:
    """Say in one sentence how many devices and groups there are."""
    machine = picture.machine
    devices = _counted(sum(1 for _ in machine.devices), "device")
    if not machine.groups:
        return f"{devices}, no IOMMU group is shown"
    words = [f"{devices} in {_counted(len(machine.groups), 'IOMMU group')}"]
    several = sum(len(group.devices) > 1 for group in machine.groups)
    if several:
        words.append(f"{several} with more than one device")
    growing = sum(growth.can_grow is True for growth in picture.growth.values())
    if growing:
        words.append(f"{growing} can grow")
    if alone := len(machine.ungrouped):
        words.append(f"{_counted(alone, 'device')} without a group that is told")
    return "; ".join(words)


def notes_of(picture: Picture) -> tuple[str, ...]:
    """Return sentences about what the source does not tell."""
    return tuple(_notes(picture))


def _notes(picture: Picture) -> Iterator[str]:
    if not picture.machine.groups_known:
        yield "The source does not tell the IOMMU groups."
    unexplained = [each for each, found in picture.losses.items() if found.untold]
    if unexplained:
        yield (
            f"Why {_groups(unexplained)} "
            f"{'are' if len(unexplained) > 1 else 'is'} shared cannot be told of every "
            "member."
        )
    open_ = [each for each, grows in picture.growth.items() if grows.can_grow is None]
    if open_:
        yield f"Whether {_groups(open_)} can grow cannot be told."


def _groups(ids: list[str]) -> str:
    ids = sorted(ids, key=natural_key)
    return f"group{'s' if len(ids) > 1 else ''} {numbers(ids)}"


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'' if count == 1 else 's'}"
