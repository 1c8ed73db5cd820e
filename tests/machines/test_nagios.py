"""Nagios: one line, and a plugin's exit codes whatever happens."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from examples import each
from hypothesis import given
from hypothesis import strategies as st
from machines.audited import SOURCES, both, code, tally
from running import call, run
from shared import SYSFS

from iommu_inspect.render.machines.nagios import (
    State,
    nagios_line,
    state_of,
    unknown_line,
)
from iommu_inspect.rules.finding import Severity

HALF = SYSFS / "half-a-group"
LINE = re.compile(
    r"IOMMU (OK|WARNING|CRITICAL|UNKNOWN) - [^|\n]+"
    r"( \| [a-z_]+=\d+;;;0( [a-z_]+=\d+;;;0)*)?"
)


@each("source", SOURCES)
def test_a_check_is_one_line_with_a_state_and_numbers(source: Path) -> None:
    for found in both(source):
        line = nagios_line(found)
        told = LINE.fullmatch(line)
        assert told is not None, line
        assert told[1] == state_of(found.result).name
        assert len(line.encode()) < 1024


@each("source", SOURCES)
def test_the_state_is_as_bad_as_the_audit(source: Path) -> None:
    for found in both(source):
        result = found.result
        warned = any(f.severity is Severity.WARNING for f in result.findings)
        fine = State.WARNING if warned else State.OK
        states = {0: fine, 1: State.CRITICAL, 3: State.UNKNOWN}
        assert state_of(result) is states[code(result)]


def test_the_exit_code_is_the_states() -> None:
    done = call("audit", "--from", HALF, "--format", "nagios")
    assert done.returncode == 2
    assert done.stdout.startswith("IOMMU CRITICAL - 1 thing is wrong. mixed-own")
    assert done.stdout.count("\n") == 1


@each(
    "words",
    [
        ("--from", "/nowhere"),
        ("--from", HALF, "no-such-device"),
        ("--from", HALF, "--nonsense"),
        ("--from", HALF, "--ignore", "no-such-rule"),
        ("--from", HALF, "--semantics", "newest"),
        ("--from", HALF, "--output", "/nowhere/x"),
        ("--from",),
    ],
)
def test_a_check_that_cannot_be_made_is_unknown_and_says_why(
    words: tuple[str, ...],
) -> None:
    """Our 2 would be CRITICAL there, and our 4 nothing at all."""
    for form in (("--format", "nagios"), ("--format=nagios",)):
        done = call("audit", *form, *words)
        assert done.returncode == 3, done.stderr
        assert LINE.fullmatch(done.stdout.rstrip("\n")), done.stdout
        assert done.stdout.startswith("IOMMU UNKNOWN - ")
        assert done.stdout.count("\n") == 1
        said = done.stderr.removeprefix("iommu-inspect: ").split()
        assert done.stdout.split()[3:6] == said[:3]


def test_other_formats_keep_their_exit_codes() -> None:
    assert call("audit", "--from", "/nowhere").returncode == 4
    assert call("audit", "--nonsense").returncode == 2
    assert call("list", "--format", "nagios").returncode == 2


def test_a_process_of_its_own_ends_the_same() -> None:
    done = run("audit", "--format", "nagios", "--from", "/nowhere")
    assert done.returncode == 3
    assert LINE.fullmatch(done.stdout.rstrip("\n"))


def test_with_a_baseline_the_state_is_that_of_what_is_new() -> None:
    done = call("audit", "--from", HALF, "--baseline", HALF, "--format", "nagios")
    assert done.returncode in (State.OK, State.WARNING)
    assert "Nothing is new since" in done.stdout


@given(st.text())
def test_no_words_make_a_second_line_or_a_number(words: str) -> None:
    line = unknown_line(f"x{words}")
    assert len(line.splitlines()) == 1
    assert "|" not in line
    found = tally(HALF)
    (first, *others) = found.result.findings
    findings = (replace(first, message=f"x{words}"), *others)
    result = replace(found.result, findings=findings)
    assert LINE.fullmatch(nagios_line(replace(found, result=result)))
