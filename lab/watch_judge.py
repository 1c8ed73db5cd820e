"""Whether what ``watch`` printed is what was done, in order, and soon enough."""

from __future__ import annotations

from collections.abc import Iterator

from lab.watching import IDLE_SECONDS, Made, Watched

__all__ = ["SOON", "latency", "per_ten_minutes", "wrong"]

SOON = 1.0
"""Seconds after which an event is to be told.

What follows from it, for which the host is read, is given twice that, and hundreds of
events at once five times: an emulated processor is some thirty times slower.
"""
_FOLLOWING, _AT_ONCE = 2, 5
_MANY = 100
IDLE = 0.5
"""Seconds of the processor that ten idle minutes may cost."""
_DEVICES = ("bind", "unbind", "add", "remove")


def per_ten_minutes(watched: Watched) -> float:
    """Return what ten idle minutes would cost, in seconds of the processor."""
    return watched.idle * 600 / IDLE_SECONDS


def latency(made: Made, *, events: bool = False) -> float:
    """Return how long after a move the last line was there, or the last event."""
    lines = [e for e in made.lines if not events or e.said["event"] in _DEVICES]
    return max((line.at - made.done for line in lines), default=0.0)


def wrong(watched: Watched, seconds: float = SOON) -> Iterator[str]:
    """Yield what is not as it has to be, a sentence each.

    An event is to be told after so many ``seconds``.
    """
    for made in watched.made:
        for text in _wrong(made, seconds):
            yield f"{made.move.name}: {text}"
    if per_ten_minutes(watched) >= IDLE:
        yield f"ten idle minutes would cost {per_ten_minutes(watched):.1f} s"
    if watched.code != "130":
        yield f"after SIGINT it ended with '{watched.code}'"
    if watched.errors:
        yield f"it said: {watched.errors}"
    told = [(line.said["event"], line.said["after"]) for line in watched.overflow]
    if told[:1] != [("lost", None)] or ("ownership", "none") not in told:
        yield f"after more events than there is room for it told {told}"


def _wrong(made: Made, seconds: float) -> Iterator[str]:
    places = made.addresses
    expected = [
        (each.event, places.get(each.device, each.device), each.driver)
        for each in made.move.expected
    ]
    told = [
        (
            line.said["event"],
            line.said["subject"]["device"],
            line.said["after" if line.said["event"] == "bind" else "before"]
            if line.said["event"] in ("bind", "unbind")
            else None,
        )
        for line in made.lines
        if line.said["event"] in _DEVICES
    ]
    if told != expected:
        yield f"{len(told)} told: {told[:8]}; {len(expected)} expected: {expected[:8]}"
    if any(line.said["event"] == "lost" for line in made.lines):
        yield "events were lost"
    many = len(expected) >= _MANY
    soon = seconds * (_AT_ONCE if many else 1)
    if (late := latency(made, events=True)) > soon:
        yield f"the last event is told {late:.2f} s later"
    soon = seconds * (_AT_ONCE if many else _FOLLOWING)
    if (late := latency(made)) > soon:
        yield f"the last line came {late:.2f} s later"
    owners = [line.said for line in made.lines if line.said["event"] == "ownership"]
    if made.move.conflict is not None:
        sides = [sorted(places[n] for n in side) for side in made.move.conflict]
        named = [
            [sorted(each["device"] for each in said[side]) for side in _SIDES]
            for said in owners
            if said["after"] == "conflict"
        ]
        if named != [sides]:
            yield f"the conflict of {sides} is told as {named}"
    if made.move.owner is not None:
        after = [said["after"] for said in owners]
        if after != [made.move.owner]:
            yield f"the owner {made.move.owner} is told as {after}"


_SIDES = ("kernel", "user")
