"""A churn is judged by the states that were there, and a wrong run is seen."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from examples import each
from running import call
from shared import FIXTURES

from lab.churn import questions
from lab.churn_answers import BAD, GOOD, OPEN, Key, answers
from lab.churn_judge import Judged, at_rest, judge_churned, judged
from lab.churn_record import (
    Churned,
    Power,
    Run,
    load_churned,
    read_runs,
    save_churned,
    window,
)
from lab.churn_states import CHURNS, Churn
from lab.churn_tool import ask
from lab.steps import Verb

READY, BLOCKED, UNKNOWN = (
    json.dumps({"verdict": verdict, "targets": []})
    for verdict in ("ready", "blocked", "unknown")
)
ASKED = ("audit", "01:00.0", "--format", "json")
JOURNAL = ["at 0", "to 1 0", "at 1", "to 2 1,3", "at 2"]


def a_run(out: str = BLOCKED, code: int = 1, **more: Any) -> Run:
    made = Run(ASKED, False, code, out, "", 2.0, 1.0, "", first=1, last=1)
    return replace(made, **more)


def churned(*runs: Run, power: Power | None = None) -> Churned:
    states = ["nic=kernel", "nic=user", "nic=gone", "nic=set"]
    made = Churned("churn", "6.12", "6.12.1", 1, 10, 240.0, states=states)
    made.journal = list(JOURNAL)
    made.runs += runs
    made.power = power
    return made


def resting(state: int, asked: tuple[str, ...]) -> Mapping[Key, int]:
    """Ready in state 1 alone; in state 2 the device is not there."""
    if state == 2:
        return {**answers(asked, 2, ""), ("code", "2"): OPEN}
    out, code = (READY, 0) if state == 1 else (BLOCKED, 1)
    return answers(asked, code, out)


def judge(*runs: Run, power: Power | None = None) -> Judged:
    return judge_churned(churned(*runs, power=power), resting)


def wrongs(*runs: Run) -> list[str]:
    return [wrong.what for wrong in judge(*runs).wrong]


@each(
    "first, last, states",
    [
        (1, 1, {0}),
        (1, 2, {0, 1}),
        (2, 2, {0, 1}),
        (3, 3, {1}),
        (3, 4, {1, 2, 3}),
        (4, 4, {1, 2, 3}),
        (5, 5, {2}),
        (1, 5, {0, 1, 2, 3}),
        (0, 0, {0}),
    ],
)
def test_the_states_of_a_run_are_those_that_were_left_or_reached(
    first: int, last: int, states: set[int]
) -> None:
    assert window(JOURNAL, first, last) == states


def test_ready_where_no_state_was_ready_is_wrong() -> None:
    (what,) = {what for what in wrongs(a_run(READY, 0)) if "verdict" in what}
    assert what == "better at verdict than all of: nic=kernel"


@each("first, last", [(1, 2), (2, 2), (3, 3), (3, 4), (1, 5)])
def test_ready_where_a_state_was_ready_is_right(first: int, last: int) -> None:
    assert wrongs(a_run(READY, 0, first=first, last=last)) == []


def test_what_is_blocked_or_cannot_be_told_is_never_wrong() -> None:
    found = judge(
        *(
            a_run(out, code, first=first, last=first)
            for out, code in ((BLOCKED, 1), (UNKNOWN, 3))
            for first in (1, 3, 5)
        )
    )
    assert found.wrong == []
    assert found.answered == 12
    # Twice in state 1, which is ready: the exit code, and the verdict.
    assert found.open == 2


@each(
    "broken, what",
    [
        (a_run(code=70), "exit 70"),
        (a_run(code=4, err="cannot read"), "exit 4: cannot read"),
        (a_run(code=-11), "signal 11"),
        (a_run(code=-9, stuck="stack: down_read", seconds=240.0), "no end after 240 s"),
        (a_run(err="Traceback (most recent call last):\n"), "'Traceback"),
        (a_run(code=70, err="iommu-inspect: internal error (KeyError)"), "internal"),
        (a_run(out=BLOCKED[:9]), "no document"),
        (a_run(out="{}"), "no document"),
        (a_run(out="", code=2, err="no device"), "exit 2, which no state explains"),
    ],
)
def test_a_crash_or_a_hang_is_wrong(broken: Run, what: str) -> None:
    assert any(what in found for found in wrongs(broken))
    if broken.code != 2:
        quiet = churned()
        quiet.idle.append(broken)
        assert judge_churned(quiet, resting).wrong


def test_a_device_that_is_not_there_may_be_refused() -> None:
    assert wrongs(a_run(out="", code=2, first=4, last=4)) == []


@each(
    "after, wrong",
    [
        ("0000:01:00.0 D3hot suspended 70", False),
        ("0000:01:00.0 D3hot suspended 90", True),
        ("0000:01:00.0 D0 active 90", True),
        ("0000:02:00.0 D3hot suspended 70", True),
    ],
)
def test_a_device_that_was_woken_is_wrong(after: str, wrong: bool) -> None:
    before = ("0000:01:00.0 D3hot suspended 70", "0000:00:01.0 D0 active 100")
    power = Power(before, (after, "0000:00:01.0 D0 active 200"))
    assert bool(judge(power=power).wrong) is wrong


def test_a_plan_with_conditions_promises_nothing() -> None:
    member = {"address": "a", "decision": "moves"}
    document = {"verdict": "planned", "conditions": [], "members": [member]}
    asked = ("plan", "a", "--format", "json")
    about = ("plan",), ("decision", "a")
    found = answers(asked, 0, json.dumps(document))
    assert [found[key] for key in about] == [GOOD, GOOD]
    found = answers(asked, 3, json.dumps({**document, "conditions": [1]}))
    assert [found[key] for key in about] == [OPEN, OPEN]
    found = answers(asked, 1, json.dumps({**document, "verdict": "refused"}))
    assert [found[key] for key in about] == [BAD, BAD]


# Two NICs behind a bridge, in three states; in each other the group is shared another
# way. What the tool says of a capture is what a guest says at rest.
CAPTURE = FIXTURES / "kernels" / "5.10-reference-2.tar.gz"
TARGETS = {"old1": "0000:03:01.0", "old2": "0000:03:02.0"}


def test_every_question_of_a_churn_is_answered_and_judged(tmp_path: Path) -> None:
    one = churned()
    one.states = ["only"]
    one.snapshots = [CAPTURE.read_bytes()]
    rest = at_rest(one, tmp_path)
    for words in questions(TARGETS)[::5]:
        said = call(*words, "--from", CAPTURE)
        made = a_run(said.stdout, said.returncode, asked=tuple(words))
        found = judge_churned(replace(one, runs=[made], journal=["at 0"]), rest)
        assert found.wrong == []
        assert found.answered >= (2 if "json" in words else 1)


def test_a_run_is_seen_to_its_end(tmp_path: Path) -> None:
    (said,) = read_runs(json.dumps({**ask(["--version"], 60), "first": 1, "last": 2}))
    assert said.code == 0 and said.out.startswith("iommu-inspect ")
    own = ask(["list", "--from", str(tmp_path / "none")], 60, own=True)
    assert own["code"] == 4 and "cannot" in own["err"]


def test_a_run_that_does_not_end_is_killed() -> None:
    found = ask(["--version"], 0.0)
    assert found["code"] == -9 and "status: " in found["stuck"]


def test_what_is_kept_is_judged_again(tmp_path: Path) -> None:
    power = Power(("a D0 active 1",), ("a D0 active 2",))
    made = churned(a_run(READY, 0, asked=("list", "--format", "json")), power=power)
    made.snapshots = [CAPTURE.read_bytes()] * len(made.states)
    loaded = load_churned(save_churned(made, tmp_path))
    assert loaded == made
    assert [wrong.what for wrong in judged(loaded).wrong] == [
        "no document: KeyError('groups')"
    ]


each_churn = each("churn", CHURNS.values())


@each_churn
def test_a_churn_can_go_from_every_state_to_every_other(churn: Churn) -> None:
    edges = churn.edges()
    assert 10 < len(edges) < 40
    for start in edges:
        reached = {start}
        for state in (pending := [start]):
            new = {edge.after for edge in edges[state]} - reached
            reached |= new
            pending.extend(new)
        assert reached == set(edges)


@each_churn
def test_an_operation_leads_by_known_states_and_names_known_devices(
    churn: Churn,
) -> None:
    edges = churn.edges()
    names = {thing.device for thing in churn.things}
    verbs = {*Verb, "plug", "unplug", "remove", "rescan"}
    for edge in (edge for leaving in edges.values() for edge in leaving):
        assert {*edge.via, edge.after} <= set(edges)
        verb, *words = edge.command.split()
        assert verb in verbs
        assert not words or words[0].partition("/")[0] in names
