"""Judges a churn: no crash, no hang, no answer better than those of the states at rest.

While devices come and go a run of the tool may see part of one state and part of the
next. It may then say that it cannot tell; it may not promise what no state that was
there in the meantime promises when nothing moves.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from lab.churn_answers import GOOD, OPEN, Key, answers
from lab.churn_record import Churned, Power, Run, window
from lab.churn_tool import ask, load_all_modules

__all__ = ["Judged", "Wrong", "at_rest", "judge_churned"]

AtRest = Callable[[int, tuple[str, ...]], Mapping[Key, int]]
"""The answers to a question in a state, by the state's number."""

_SECONDS = 120.0
# What the tool returns on purpose, but for the refusal of a device that is not there.
_ANSWERS = (0, 1, 3)
_NO_SUCH_DEVICE = 2
_WORDS_OF_A_BUG = ("Traceback (most recent call last)", "internal error")


@dataclass(frozen=True, slots=True)
class Wrong:
    """What a run did that it must not."""

    run: int
    asked: tuple[str, ...]
    what: str

    def __str__(self) -> str:
        return f"run {self.run}, '{' '.join(self.asked)}': {self.what}"


@dataclass
class Judged:
    """What was compared: ``answered`` answers, of which ``open`` cannot be told."""

    answered: int = 0
    open: int = 0
    moved: int = 0
    wrong: list[Wrong] = field(default_factory=list)


def judge_churned(churned: Churned, rest: AtRest) -> Judged:
    """Hold every run against the states that were there while it ran."""
    found = Judged()
    quiet = frozenset([churned.quiet])
    for number, run in enumerate(churned.idle):
        _judge_run(found, churned, number, run, quiet, rest)
    for number, run in enumerate(churned.runs, len(churned.idle)):
        states = window(churned.journal, run.first, run.last)
        found.moved += len(states) > 1
        _judge_run(found, churned, number, run, states, rest)
    if churned.power is not None:
        asked = (f"{len(churned.idle)} runs",)
        found.wrong += [
            Wrong(0, asked, f"power: {what}") for what in woken(churned.power)
        ]
    return found


def _judge_run(
    found: Judged,
    churned: Churned,
    number: int,
    run: Run,
    states: frozenset[int],
    rest: AtRest,
) -> None:
    broken = list(_broken(run, churned.bound))
    said: Mapping[Key, int] = {}
    try:
        said = answers(run.asked, run.code, run.out)
    except (ValueError, KeyError) as error:
        broken += [f"no document: {error!r}"] if not broken else []
    if broken:
        found.wrong += [Wrong(number, run.asked, what) for what in broken]
        return
    quiet = [rest(state, run.asked) for state in sorted(states)]
    if run.code not in _ANSWERS and not any(_refuses(each, run) for each in quiet):
        what = f"exit {run.code}, which no state explains: {run.err.strip()[-200:]}"
        found.wrong.append(Wrong(number, run.asked, what))
    for key, level in said.items():
        best = max(each.get(key, -1) for each in quiet)
        found.answered += 1
        found.open += level == OPEN < best
        if level == GOOD > best:
            names = ", ".join(churned.states[state] for state in sorted(states))
            what = f"better at {' '.join(key)} than all of: {names}"
            found.wrong.append(Wrong(number, run.asked, what))


def _refuses(quiet: Mapping[Key, int], run: Run) -> bool:
    return (
        run.code == _NO_SUCH_DEVICE and quiet.get(("code", str(run.code))) is not None
    )


def _broken(run: Run, bound: float) -> Iterator[str]:
    """Yield what no run may do, whatever the state."""
    if run.stuck:
        where = " ".join(run.stuck.split())[:300]
        yield f"no end after {run.seconds:.0f} s (bound {bound:.0f} s): {where}"
    elif run.code < 0:
        yield f"ended by signal {-run.code}"
    elif run.code not in (*_ANSWERS, _NO_SUCH_DEVICE):
        yield f"exit {run.code}: {run.err.strip()[-300:]}"
    for words in _WORDS_OF_A_BUG:
        if words in run.err or words in run.out:
            yield f"'{words}': {run.err.strip()[-300:]}"


def woken(power: Power) -> Iterator[str]:
    """Yield each device whose power state or time awake differs."""
    before, after = (dict(_named(lines)) for lines in (power.before, power.after))
    for device in sorted({*before, *after}):
        one, other = before.get(device), after.get(device)
        if one != other:
            yield f"{device}: {one} before, {other} after"


def _named(lines: Sequence[str]) -> Iterator[tuple[str, str]]:
    for line in lines:
        device, _, told = line.partition(" ")
        *states, awake = told.split()
        # A device that is awake stays awake: its time goes on.
        sleeps = "suspended" in states
        yield device, " ".join([*states, awake] if sleeps else states)


def at_rest(churned: Churned, folder: Path) -> AtRest:
    """Return what answers from the states' snapshots, each question once."""
    load_all_modules()
    kept: dict[tuple[int, tuple[str, ...]], Mapping[Key, int]] = {}
    paths = []
    for number, snapshot in enumerate(churned.snapshots):
        paths.append(folder / f"{number}.tar.gz")
        paths[-1].write_bytes(snapshot)

    def answer(state: int, asked: tuple[str, ...]) -> Mapping[Key, int]:
        key = state, asked
        if key not in kept:
            run = ask([*asked, "--from", str(paths[state])], _SECONDS)
            code = int(run["code"])
            found = dict(answers(asked, code, run["out"]))
            kept[key] = found | {("code", str(code)): OPEN}
        return kept[key]

    return answer


def judged(churned: Churned) -> Judged:
    """Judge it by what the tool says now of the states' snapshots."""
    with tempfile.TemporaryDirectory(prefix="lab-") as folder:
        return judge_churned(churned, at_rest(churned, Path(folder)))
