"""The text of ``diff``: what got worse first, and a line at the end that sums up."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from iommu_inspect.audit.differences.differing import (
    Differences,
    Side,
    Uncompared,
    What,
)
from iommu_inspect.audit.differences.host import SettingChange
from iommu_inspect.audit.differences.matching import Alike, Pair
from iommu_inspect.audit.differences.prospects import ProspectChange
from iommu_inspect.audit.differences.regrouping import Kind
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed, printable
from iommu_inspect.render.differences.groups import better_groups, worse_groups
from iommu_inspect.render.differences.words import (
    WHEN,
    block,
    counted,
    group_name,
    line,
)
from iommu_inspect.render.layout import PLAIN, Style
from iommu_inspect.render.purposes import PHRASES
from iommu_inspect.render.text import fold

__all__ = ["diff_text"]

T = TypeVar("T")

_MOST_NAMES = 4
_MOST_SHIFTED = 24


def diff_text(found: Differences, style: Style = PLAIN) -> str:
    """Return the whole text."""
    worse = [each for each in found.prospects if each.worse]
    better = [each for each in found.prospects if not each.worse]
    blocks = [
        _heads(found, style),
        *worse_groups(found, style),
        *_prospects(found, worse, style, "red"),
        *_owners(found, style),
        *_drivers(found, style),
        *better_groups(found, style),
        *_prospects(found, better, style, "green"),
        *_came_and_went(found, style),
        *_shifted(found.shifted, style),
        *(_alike(each, style) for each in found.alike),
        *_settings(found.settings, style),
        *_uncompared(found, style),
        fold(_sum(found), style.width),
    ]
    return "\n\n".join(filter(None, blocks))


def _heads(found: Differences, style: Style) -> str:
    return "\n".join(
        fold(f"{word}: {_source(machine)}", style.width, hanging="  ")
        for word, machine in (("before", found.before), ("after", found.after))
    )


def _source(machine: Machine) -> str:
    release = machine.kernel.release
    kernel = f" ({release})" if known(release) else ""
    return f"{machine.source.name}{kernel}"


def _told_once(changes: Iterable[T], key: Callable[[T], Hashable]) -> Iterator[list[T]]:
    found: dict[Hashable, list[T]] = {}
    for each in changes:
        found.setdefault(key(each), []).append(each)
    yield from found.values()


def _prospects(
    found: Differences, changes: list[ProspectChange], style: Style, colour: str
) -> Iterator[str]:
    phrase = PHRASES[found.purpose]
    for alike in _told_once(changes, lambda c: (c.before.possible, c.after.possible)):
        first = alike[0]
        count = sum(len(each.members) for each in alike)
        word = "worse" if first.worse else "better"
        title = (
            f"verdict {word}: {counted(count, 'device')} could {phrase} "
            f"{WHEN[first.before.possible]}, now {WHEN[first.after.possible]}"
        )
        lines = []
        for each in alike:
            why = "; ".join(each.after.steps) or each.after.because
            names = [line(placed.pair.after) for placed in each.members]
            lines += names[:-1]
            lines.append(f"{names[-1]}: {why}" if why else names[-1])
        yield block(title, lines, style, colour)


def _owners(found: Differences, style: Style) -> Iterator[str]:
    for alike in _told_once(found.owners, lambda c: (c.before, c.after)):
        first = alike[0]
        colour = "red" if first.after.value == "conflict" else ""
        title = (
            f"owner: {first.after.value}, was {first.before.value}: "
            f"{counted(len(alike), 'group')}"
        )
        lines = [
            f"{group_name(*each.groups)}: "
            f"{_few([placed.pair.after for placed in each.members])}"
            for each in alike
        ]
        yield block(title, lines, style, colour)


def _drivers(found: Differences, style: Style) -> Iterator[str]:
    for alike in _told_once(found.drivers, lambda c: (c.before, c.after)):
        first = alike[0]
        title = (
            f"driver: {first.after or 'none'}, was {first.before or 'none'}: "
            f"{counted(len(alike), 'device')}"
        )
        yield block(title, [line(each.pair.after) for each in alike], style)


def _came_and_went(found: Differences, style: Style) -> Iterator[str]:
    for word, devices, machine in (
        ("new", found.added, found.after),
        ("gone", found.removed, found.before),
    ):
        lines = []
        for device in devices:
            group = machine.group_of(device)
            lines.append(line(device, f"group {group.id}" if group else ""))
        if lines:
            yield block(f"{word}: {counted(len(lines), 'device')}", lines, style)


def _shifted(pairs: Iterable[Pair], style: Style) -> Iterator[str]:
    """Tell the address of each; where very many moved, bus by bus."""
    found = list(pairs)
    if not found:
        return
    lines = [line(p.after, f"was {p.before.address}") for p in found]
    if len(found) > _MOST_SHIFTED:
        lines = [
            f"{_bus(alike[0].before)} -> {_bus(alike[0].after)}: "
            f"{counted(len(alike), 'device')}"
            for alike in _told_once(found, lambda p: (_bus(p.before), _bus(p.after)))
        ]
    title = f"another address: {counted(len(found), 'device')}, otherwise the same"
    yield block(title, lines, style)


def _bus(device: Device) -> str:
    address = device.pci_address
    return f"{address.domain:04x}:{address.bus:02x}" if address else device.address


def _alike(each: Alike, style: Style) -> str:
    why = "they are alike" if each.told_apart else "a source does not show their ids"
    name = each.after[0].ids.pair or each.before[0].ids.pair
    of = f" [{name}]" if name and each.told_apart else ""
    title = f"which is which{of} cannot be told: {why}"
    lines = [f"before: {_few(each.before)}", f"after: {_few(each.after)}"]
    return block(title, lines, style, "yellow")


def _settings(changes: Iterable[SettingChange], style: Style) -> Iterator[str]:
    lines = []
    for each in changes:
        if each.before and each.after and len(each.before) == len(each.after) == 1:
            lines.append(f"{each.name}: {each.before[0]} -> {each.after[0]}")
            continue
        lines += [f"{each.name}: gone: {text}" for text in each.before]
        lines += [f"{each.name}: new: {text}" for text in each.after]
    if lines:
        yield block("settings: otherwise than before", lines, style)


def _uncompared(found: Differences, style: Style) -> Iterator[str]:
    lines = [_lack(each, found) for each in found.uncompared]
    if found.matching.by_address:
        count = counted(len(found.matching.by_address), "device")
        lines.append(f"{count}: the same by the address alone, since ids are not shown")
    if lines:
        yield block("not compared, or not for certain:", lines, style, "yellow")


def _lack(each: Uncompared, found: Differences) -> str:
    names = {
        Side.BEFORE: f"{printable(found.before.source.name)} does not show",
        Side.AFTER: f"{printable(found.after.source.name)} does not show",
        Side.BOTH: "neither source shows",
    }
    who, count = names[each.side], counted(len(each.devices), "device")
    if each.what is What.VERDICTS:
        lacks = f"; one alone shows {listed(each.lacking)}" if each.lacking else ""
        return f"verdicts of {count}: the sources do not show the same of them{lacks}"
    if each.what is What.DEVICES:
        kind = "devices without a group, or is a part of a text"
        return f"{count} of the other source: {who} {kind}: {_few(each.devices)}"
    one = "it" if len(each.devices) == 1 else "them"
    return f"{each.what.value} of {count}: {who} {one}"


def _few(devices: Iterable[Device]) -> str:
    names = [device.address for device in devices]
    if len(names) > _MOST_NAMES:
        names = [*names[: _MOST_NAMES - 1], f"{len(names) - _MOST_NAMES + 1} more"]
    return listed(names)


def _sum(found: Differences) -> str:
    """Say in one sentence what there is."""
    if found.same:
        drivers = any(each.what is What.DRIVERS for each in found.uncompared)
        but = " (drivers are not shown)" if drivers else ""
        groups = counted(len(found.after.groups), "group")
        devices = counted(len(found.matching.pairs), "device")
        return f"Nothing differs: {groups}, {devices}{but}."
    parts = _counts(found)
    if found.same is None:
        why = " It cannot be told whether all is the same."
        return f"Nothing that both sources show differs.{why}"
    return f"Different: {listed(parts)}."


def _counts(found: Differences) -> list[str]:
    kinds = [each.kind for each in found.groups]
    worse = sum(len(p.members) for p in found.prospects if p.worse)
    better = sum(len(p.members) for p in found.prospects if not p.worse)
    counts = [
        *((kinds.count(kind), _EVENTS[kind]) for kind in Kind),
        (len(found.ungrouped), "device without a group now"),
        (worse, "verdict worse"),
        (better, "verdict better"),
        (len(found.owners), "owner"),
        (len(found.drivers), "driver"),
        (len(found.grouped), "device with a group now"),
        (len(found.added), "new device"),
        (len(found.removed), "device gone"),
        (len(found.shifted), "address"),
        (len(found.settings), "setting"),
        (len(found.alike), "set of devices that cannot be told apart"),
    ]
    return [_plural(count, words) for count, words in counts if count]


_EVENTS = {
    Kind.MERGED: "merge",
    Kind.REGROUPED: "regrouping",
    Kind.MOVED: "move between groups",
    Kind.GROWN: "larger group",
    Kind.EXCHANGED: "group with other members",
    Kind.SPLIT: "split",
    Kind.SHRUNK: "smaller group",
}
_NOUNS = (
    *("address", "device", "driver", "group", "merge", "move", "owner", "regrouping"),
    *("set", "setting", "split", "verdict"),
)


def _plural(count: int, words: str) -> str:
    """Put the first noun of the words into the plural, if there are several."""
    found = words.split(" ")
    if count != 1:
        at = next(n for n, word in enumerate(found) if word in _NOUNS)
        found[at] += "es" if found[at].endswith("s") else "s"
    return f"{count} {' '.join(found)}"
