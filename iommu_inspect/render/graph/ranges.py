"""Many names in few letters: ``0000:04:02.0-7``, ``11-18``."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.model.identity import DeviceId

__all__ = ["addresses", "numbers"]

_MOST_RANGES = 4
# Longer ones are nobody's ids, and Python makes no number of too many digits.
_MOST_DIGITS = 9


def addresses(devices: Sequence[DeviceId]) -> str:
    """Return the names of devices in order: one, two, a run of a slot, or the ends."""
    first, last = devices[0], devices[-1]
    if len(devices) == 1:
        return first.name
    if last.pci is not None and _one_slot(devices):
        return f"{first.name}-{last.pci.function}"
    if len(devices) == 2:
        return f"{first.name}, {last.name}"
    return f"{first.name} to {last.name}"


def _one_slot(devices: Sequence[DeviceId]) -> bool:
    """Say whether they are functions of one slot that follow each other."""
    found = [device.pci for device in devices if device.pci is not None]
    if len(found) != len(devices) or len({each.slot_name for each in found}) > 1:
        return False
    start = found[0].function
    return [each.function for each in found] == list(range(start, start + len(found)))


def numbers(ids: Sequence[str]) -> str:
    """Return ids in their order; numbers that follow each other are a range."""
    runs: list[list[str]] = []
    for each in ids:
        if runs and _follows(runs[-1][-1], each):
            runs[-1].append(each)
        else:
            runs.append([each])
    words = [run[0] if len(run) == 1 else _run(run) for run in runs]
    if len(words) > _MOST_RANGES:
        left = sum(map(len, runs[_MOST_RANGES - 1 :]))
        words[_MOST_RANGES - 1 :] = [f"{left} more"]
    return ", ".join(words)


def _run(run: Sequence[str]) -> str:
    return f"{run[0]}{', ' if len(run) == 2 else '-'}{run[-1]}"


def _follows(one: str, other: str) -> bool:
    told = all(len(x) <= _MOST_DIGITS and x.isdecimal() for x in (one, other))
    return told and int(other) == int(one) + 1
