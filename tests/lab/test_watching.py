"""What is wrong with what ``watch`` printed in a guest: each fault is seen."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from lab.errors import LabError
from lab.watch_judge import latency, per_ten_minutes, wrong
from lab.watch_moves import BURST, Expected, Move, find_watch
from lab.watching import Line, Made, Watched

ONE, TWO = "0000:03:01.0", "0000:03:02.0"
MOVE = Move(
    "bind old2",
    (Expected("bind", "old2", "e1000"),),
    "echo",
    conflict=(("old2",), ("old1",)),
)


def said(
    event: str,
    before: str | None = None,
    after: str | None = None,
    *,
    at: float = 10.2,
    device: str | None = None,
    **more: Any,
) -> Line:
    subject = {"device": device, "group": "7", "rule": None}
    return Line(
        at,
        {"event": event, "before": before, "after": after, "subject": subject, **more},
    )


BOUND = said("bind", after="e1000", device=TWO)
CONFLICT = said(
    "ownership",
    "user",
    "conflict",
    kernel=[{"device": TWO, "driver": "e1000"}],
    user=[{"device": ONE, "driver": "vfio-pci"}],
)
MADE = Made(MOVE, 9.0, 10.0, (BOUND, CONFLICT), {"old1": ONE, "old2": TWO})
OVERFLOW = (said("lost"), said("ownership", "kernel", "none", kernel=[], user=[]))
RIGHT = Watched("m", "6.12", {}, (MADE,), 0.0, "130", "", OVERFLOW)


def with_lines(*lines: Line) -> Watched:
    return replace(RIGHT, made=(replace(MADE, lines=lines),))


def test_what_is_as_it_has_to_be_is_not_wrong() -> None:
    assert list(wrong(RIGHT)) == []
    later = replace(MADE, lines=(BOUND, replace(CONFLICT, at=10.7)))
    assert latency(later) == pytest.approx(0.7)
    assert latency(later, events=True) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("watched", "what"),
    [
        (with_lines(CONFLICT), "0 told"),
        (with_lines(BOUND, BOUND, CONFLICT), "2 told"),
        (with_lines(said("bind", after="nvme", device=TWO), CONFLICT), "1 told"),
        (with_lines(said("bind", after="e1000", device=ONE), CONFLICT), "1 told"),
        (with_lines(BOUND), "the conflict"),
        (
            with_lines(BOUND, replace(CONFLICT, said={**CONFLICT.said, "user": []})),
            "the conflict",
        ),
        (with_lines(replace(BOUND, at=11.5), CONFLICT), "told 1.50 s later"),
        (with_lines(BOUND, replace(CONFLICT, at=12.5)), "the last line came 2.50 s"),
        (with_lines(said("lost"), BOUND, CONFLICT), "events were lost"),
        (replace(RIGHT, idle=0.03), "ten idle minutes would cost 0.6 s"),
        (replace(RIGHT, code="1"), "after SIGINT"),
        (replace(RIGHT, errors="Traceback"), "it said: Traceback"),
        (replace(RIGHT, overflow=()), "after more events"),
        (replace(RIGHT, overflow=OVERFLOW[:1]), "after more events"),
        (replace(RIGHT, overflow=OVERFLOW[1:]), "after more events"),
    ],
)
def test_each_fault_is_seen(watched: Watched, what: str) -> None:
    (found,) = wrong(watched)
    assert what in found


def test_an_owner_that_is_not_told_is_seen() -> None:
    move = replace(MOVE, conflict=None, owner="user")
    (found,) = wrong(replace(RIGHT, made=(replace(MADE, move=move),)))
    assert "the owner user" in found


def test_hundreds_of_events_have_longer() -> None:
    move = replace(MOVE, expected=MOVE.expected * 200, conflict=None)
    lines = (replace(BOUND, at=14.5),) * 200
    made = replace(MADE, move=move, lines=lines)
    assert list(wrong(replace(RIGHT, made=(made,)))) == []
    late = list(wrong(replace(RIGHT, made=(made,)), seconds=0.5))
    assert len(late) == 2


def test_idle_time_is_told_for_ten_minutes() -> None:
    assert per_ten_minutes(replace(RIGHT, idle=0.01)) == pytest.approx(0.2)


@pytest.mark.parametrize("name", ["reference", "watched"])
def test_a_watch_moves_devices_that_its_machine_has(name: str) -> None:
    watch = find_watch(name)
    devices = {d.name for d in (*watch.machine.devices, *watch.machine.spare)}
    for move in watch.moves:
        assert {each.device.partition("/")[0] for each in move.expected} <= devices
        assert move.script or move.plug or move.unplug
    assert max(len(move.expected) for move in watch.moves) == 2 * BURST


def test_an_unknown_watch_is_named_with_those_there_are() -> None:
    with pytest.raises(LabError, match="reference, watched"):
        find_watch("nothing")
