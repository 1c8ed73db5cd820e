"""What became of groups, as ``diff`` tells it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from iommu_inspect.audit.differences.differing import Differences
from iommu_inspect.audit.differences.regrouping import Kind, Placed, Regrouped
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.render.differences.words import block, counted, group_name, ids, line
from iommu_inspect.render.layout import Style

__all__ = ["better_groups", "worse_groups"]

_BIGGER = (Kind.MERGED, Kind.REGROUPED, Kind.MOVED)
_BY_NEWCOMERS = (Kind.GROWN, Kind.EXCHANGED)
_MOST_BLOCKS = 6


def worse_groups(found: Differences, style: Style) -> Iterator[str]:
    """Yield what makes groups larger, or takes them away."""
    big = [r for r in found.groups if r.kind in _BIGGER]
    yield from _one_by_one(big, style, "red")
    for kind in _BY_NEWCOMERS:
        yield from _of_kind(found.groups, kind, style, "red")
    if found.ungrouped:
        all_gone = "" if found.after.groups else ", and there are no groups at all"
        title = (
            f"no group any more: {counted(len(found.ungrouped), 'device')} had one "
            f"before{all_gone}"
        )
        yield block(title, [*map(_had, found.ungrouped)], style, "red")


def better_groups(found: Differences, style: Style) -> Iterator[str]:
    """Yield what makes groups smaller, or gives devices one."""
    split = [r for r in found.groups if r.kind is Kind.SPLIT]
    yield from _one_by_one(split, style, "green")
    yield from _of_kind(found.groups, Kind.SHRUNK, style, "")
    if found.grouped:
        title = f"a group now: {counted(len(found.grouped), 'device')} had none before"
        yield block(title, [*map(_has, found.grouped)], style)


def _one_by_one(
    regrouped: Sequence[Regrouped], style: Style, colour: str
) -> Iterator[str]:
    for each in regrouped[:_MOST_BLOCKS]:
        lines = [_member(each, placed) for placed in each.moved or each.members]
        lines += [line(device, "new") for device in each.joined]
        lines += [line(device, "gone") for device in each.left]
        yield block(_title(each), lines, style, colour)
    if more := regrouped[_MOST_BLOCKS:]:
        lines = [
            f"{each.kind.value}: {ids(each.before)} -> {ids(each.after)}"
            for each in more
        ]
        yield block(f"more of this kind: {len(more)}", lines, style, colour)


def _title(each: Regrouped) -> str:
    before, after = each.before, each.after
    match each.kind:
        case Kind.MERGED:
            size = counted(len(after[0].devices), "device")
            return (
                f"merged: groups {ids(before)} are one now, group {ids(after)}, {size}"
            )
        case Kind.SPLIT:
            return (
                f"split: group {ids(before)} is {len(after)} groups now, {ids(after)}"
            )
        case Kind.MOVED:
            one = len(each.moved) == 1
            return (
                f"moved: {counted(len(each.moved), 'device')} "
                f"{'is' if one else 'are'} in another group"
            )
        case _:
            return f"regrouped: groups {ids(before)} are groups {ids(after)} now"


def _member(each: Regrouped, placed: Placed) -> str:
    before, after = placed.before, placed.after
    if before is None or after is None:
        return line(placed.pair.after)
    if each.kind is Kind.MERGED:
        return line(placed.pair.after, f"was in {before.id}")
    if each.kind is Kind.SPLIT:
        return line(placed.pair.after, f"is in {after.id}")
    return line(placed.pair.after, f"group {before.id} -> {after.id}")


def _of_kind(
    regrouped: Iterable[Regrouped], kind: Kind, style: Style, colour: str
) -> Iterator[str]:
    """Tell once of all groups that new devices joined, or that lost some."""
    mine = [each for each in regrouped if each.kind is kind]
    if not mine:
        return
    words = {
        Kind.GROWN: ("larger", "by devices that are new"),
        Kind.SHRUNK: ("smaller", "by devices that are gone"),
        Kind.EXCHANGED: ("other members", "some are new, others are gone"),
    }
    head, why = words[kind]
    lines = []
    for each in mine:
        name = group_name(each.before[0], each.after[0])
        lines += [_came(name, "new", device) for device in each.joined]
        lines += [_came(name, "gone", device) for device in each.left]
    yield block(f"{head}: {counted(len(mine), 'group')}, {why}", lines, style, colour)


def _came(name: str, word: str, device: Device) -> str:
    return f"{name}  {word}: {line(device)}"


def _had(placed: Placed) -> str:
    return line(placed.pair.after, _in(placed.before, "was"))


def _has(placed: Placed) -> str:
    return line(placed.pair.after, _in(placed.after, "is"))


def _in(group: Group | None, verb: str) -> str:
    return f"{verb} in {group.id}" if group else ""
