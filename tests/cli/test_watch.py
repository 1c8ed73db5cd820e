"""``watch``: what is printed, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from documents import validator
from happening import (
    AT,
    captured,
    event,
    following,
    judged,
    many_functions,
    on,
    without,
)
from running import call, document, watched

from iommu_inspect.audit.watching.following import Told
from iommu_inspect.audit.watching.state import State
from iommu_inspect.cli.watching import watched as loop
from iommu_inspect.model.events import Burst
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.render.documents.watch import WatchLines
from iommu_inspect.render.layout import Style
from iommu_inspect.render.watching import WatchText

USED = captured("6.12-reference-2")
BARE = on(USED, pci_03_02_0=None)
MIXED = on(USED, pci_03_02_0="e1000")
BIND = Burst((event("bind", "pci_03_02_0", "e1000"),))
UNBIND = Burst((event("unbind", "pci_03_02_0"),))


@pytest.fixture(autouse=True)
def at_greenwich(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "UTC")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def lines(told: list[Told], text: WatchText | None = None) -> list[str]:
    return [
        line for each in told for line in (text or WatchText()).told(each, AT + 0.125)
    ]


def documents(told: list[Told]) -> list[dict[str, Any]]:
    found = [
        json.loads(line)
        for each in told
        for line in WatchLines().told(each, AT + 0.125)
    ]
    for each in found:
        validator("watch").validate(each)
    return found


def test_a_conflict_is_told_in_three_lines() -> None:
    assert lines(following(BARE, BIND, MIXED)) == [
        "11-14 22:13:20.250  bind     0000:03:02.0 to e1000, group 7",
        "11-14 22:13:20.375  owner    group 7: conflict, was user: 0000:03:02.0 on "
        "e1000 beside 0000:03:01.0 on vfio-pci",
        "11-14 22:13:20.375  finding  group 7: mixed-ownership (error): 0000:03:02.0 "
        "is bound to e1000, a driver of the host, so the kernel refuses group 7 to "
        "user space: VFIO_GROUP_SET_CONTAINER returns -EPERM",
    ]
    assert lines(following(MIXED, UNBIND, BARE)) == [
        "11-14 22:13:20.250  unbind   0000:03:02.0 from e1000, group 7",
        "11-14 22:13:20.375  owner    group 7: user, was conflict",
        "11-14 22:13:20.375  finding  group 7: mixed-ownership is gone",
    ]


def test_lines_of_a_terminal_are_folded_to_its_width_and_painted() -> None:
    style = Style(60, lambda text, colour: f"<{colour}>{text}</>")
    told = lines(following(BARE, BIND, MIXED), WatchText(style, folds=True))
    assert told[1].startswith("<red>11-14 22:13:20.375  owner    group 7: conflict")
    plain = [each.removeprefix("<red>").removesuffix("</>") for each in told]
    assert all(len(line) <= 60 for each in plain for line in each.splitlines())
    assert told[1].splitlines()[1].startswith(" " * 29)


def test_what_is_alike_of_many_groups_is_one_line_and_each_event_its_own() -> None:
    before, after = many_functions(64)
    there = {d.id for d in before.devices}
    new = [d for d in after.devices if d.id not in there]
    burst = Burst(
        tuple(event("add", f"pci_01_{d.address[8:10]}_{d.address[-1]}") for d in new)
    )
    told = lines(following(before, burst, after))
    assert sum(" add " in line for line in told) == 64
    assert told[0].endswith(
        "add      0000:01:00.1, group 101, virtual function of 0000:01:00.0 [1b36:0010]"
    )
    (owner,) = [line for line in told if " owner " in line]
    assert "groups 101, 102, 103" in owner
    assert owner.endswith("and 56 more: kernel (new)")


def test_notes_are_not_told_to_people_but_those_that_are_waited_for() -> None:
    told = following(BARE, BIND, MIXED)
    assert not any("partial-group" in line for line in lines(told))
    wanted = lines(told, WatchText(wanted="partial-group"))
    assert [line for line in wanted if "partial-group is gone" in line]
    rules = {d["subject"]["rule"] for d in documents(told)}
    assert {"partial-group", "mixed-ownership"} <= rules


def test_what_was_lost_or_slept_through_is_said_before_what_follows() -> None:
    told = following(USED, Burst(lost=True, slept=True), BARE)
    assert [line.split()[2] for line in lines(told)][:2] == ["lost", "resumed"]
    assert [d["event"] for d in documents(told)][:2] == ["lost", "resumed"]


def test_a_device_that_is_gone_is_told_with_its_group() -> None:
    events = (event("unbind", "pci_01_00_0"), event("remove", "pci_01_00_0"))
    told = following(USED, Burst(events), without(USED, "pci_01_00_0"))
    assert [line[20:] for line in lines(told)] == [
        "unbind   0000:01:00.0 from vfio-pci, group 6",
        "remove   0000:01:00.0, was in group 6 [8086:10d3]",
        "owner    group 6: gone, was user",
    ]
    assert [(d["event"], d["before"], d["after"]) for d in documents(told)] == [
        ("unbind", "vfio-pci", None),
        ("remove", "present", None),
        ("ownership", "user", None),
    ]


def test_each_line_of_json_names_its_subject_before_and_after() -> None:
    bind, owner, *_ = documents(following(BARE, BIND, MIXED))
    assert bind == {
        "schema": "iommu-inspect/watch/1",
        "event": "bind",
        "time": "2023-11-14T22:13:20.250Z",
        "subject": {"device": "0000:03:02.0", "group": "7", "rule": None},
        "before": None,
        "after": "e1000",
        "bus": "pci",
        "ids": "8086:100e",
        "name": None,
        "physical_function": None,
    }
    assert (owner["before"], owner["after"]) == ("user", "conflict")
    assert owner["user"] == [{"device": "0000:03:01.0", "driver": "vfio-pci"}]
    assert owner["kernel"] == [{"device": "0000:03:02.0", "driver": "e1000"}]


def test_names_that_a_terminal_would_obey_are_escaped() -> None:
    hostile = "e1000\x1b[2J\n\udcff"
    burst = Burst((event("bind", "pci_03_02_0", hostile),))
    told = following(BARE, burst, on(USED, pci_03_02_0=hostile))
    for line in lines(told):
        assert line.isprintable()
    for each in told:
        for line in WatchLines().told(each, AT):
            assert line.isascii() and line.isprintable()
    assert documents(told)[0]["after"] == "e1000\x1b[2J\n\\xff"


def run_loop(
    *steps: Machine | Burst, until: str | None = None
) -> list[tuple[list[str], bool]]:
    states = iter([judged(each) for each in steps if isinstance(each, Machine)])
    found = loop(
        next(states),
        [each for each in steps if isinstance(each, Burst)],
        lambda _events: {},
        lambda _state, _burst: next(states),
        WatchText(wanted=until),
        until,
        lambda: AT,
    )
    return [(list(said), there) for said, there in found]


def test_it_begins_with_one_line_that_says_what_is_watched() -> None:
    ((first, there),) = run_loop(MIXED)
    assert first == [
        "11-14 22:13:20.250  watching 8 groups and 12 devices of Linux "
        "6.12.117+deb13-amd64; 1 error, 2 warnings; conflict in group 7"
    ]
    assert not there


def test_it_waits_until_the_finding_is_there() -> None:
    told = run_loop(USED, UNBIND, BARE, BIND, MIXED, until="mixed-ownership")
    assert [there for _, there in told] == [False, False, False, False, True]
    assert "mixed-ownership (error)" in told[-1][0][-1]


def test_a_finding_that_is_there_at_the_start_is_told_at_once() -> None:
    ((first, there),) = run_loop(MIXED, until="mixed-ownership")
    assert there
    assert "finding  group 7: mixed-ownership (error)" in first[1]


def test_an_unknown_rule_is_a_usage_error_with_what_is_like_it() -> None:
    done = call("watch", "--until", "mixed-owner")
    assert (done.returncode, done.stdout) == (2, "")
    assert "--until: there is no rule 'mixed-owner'" in done.stderr
    assert "mixed-ownership" in done.stderr


@pytest.mark.parametrize("words", [("--from", "/"), ("--exec", "true"), ("01:00.0",)])
def test_it_watches_this_host_alone_and_runs_nothing(words: tuple[str, ...]) -> None:
    done = call("watch", *words)
    assert (done.returncode, done.stdout) == (2, "")


def test_a_finding_of_this_host_ends_it_at_once() -> None:
    findings = document("audit")["findings"]
    if not findings:
        pytest.skip("nothing is to be said of this host")
    rule = findings[0]["rule"]
    done = call("watch", "--until", rule, "--format", "jsonl")
    assert done.returncode == 1, done.stderr
    first, second, *_ = map(json.loads, done.stdout.splitlines())
    validator("watch").validate(first)
    validator("watch").validate(second)
    assert (first["event"], second["subject"]["rule"]) == ("watching", rule)


def started(*words: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "iommu_inspect", "watch", *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={"PATH": "/usr/bin:/bin", **watched()},
    )


def test_ctrl_c_ends_it_without_a_word() -> None:
    process = started()
    assert process.stdout
    assert " watching " in process.stdout.readline()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=20)
    assert (process.returncode, err) == (130, "")


def test_a_reader_that_goes_away_ends_it_at_once() -> None:
    """``watch | head -1`` does not wait for the next event."""
    process = started("--format", "jsonl")
    assert process.stdout and process.stderr
    first = json.loads(process.stdout.readline())
    validator("watch").validate(first)
    process.stdout.close()
    assert process.wait(timeout=20) == 0
    assert process.stderr.read() == ""
    process.stderr.close()


def test_an_idle_watch_uses_no_processor() -> None:
    process = started()
    assert process.stdout
    process.stdout.readline()
    time.sleep(0.3)
    before = used(process.pid)
    time.sleep(2)
    spent = used(process.pid) - before
    process.kill()
    process.communicate()
    # Half a second in ten minutes is 2 ms here; the clock ticks each 10 ms.
    assert spent <= 0.02


def used(pid: int) -> float:
    words = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return sum(map(int, words[11:13])) / os.sysconf("SC_CLK_TCK")


def test_the_findings_of_a_state_are_those_of_an_audit() -> None:
    from iommu_inspect.audit.auditing import audit
    from iommu_inspect.kernel.eras import applicable

    state: State = judged(MIXED)
    found = audit(MIXED, applicable(MIXED.kernel)).findings
    assert tuple(state.findings.values()) == found
    assert DeviceId("0000:03:02.0", "pci") in {d for f in found for d in f.devices}
