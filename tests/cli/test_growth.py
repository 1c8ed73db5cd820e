"""Twice as much of anything costs twice as much, whoever made it.

Calls are counted, which no load of the machine changes: ``bench/growth.py`` measures
the same inputs, large, in seconds and bytes.
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
from counting import calls
from examples import each

from bench.captures import CAPTURES
from bench.files import FILES
from bench.inputs import Input
from bench.texts import TEXTS
from iommu_inspect.cli.main import main

MOST = 2.3
# Of these each command is another matter; of others an audit of the whole, which asks
# all rules, and half of what a plan asks.
ALL_OF = {given.name for given in FILES} | {"text-log"}
LAST_TOO = {"one-group": ("audit", "plan", "whatif", "diff"), "targets": ("plan",)}


def of_command(command: list[str], monkeypatch: pytest.MonkeyPatch) -> int:
    """Count the calls that a command takes."""
    monkeypatch.setattr(sys, "argv", ["iommu-inspect", *command])
    if command[-1].startswith("<"):
        given = io.BytesIO(Path(sys.argv.pop()[1:]).read_bytes())
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(given))

    def asked() -> None:
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code not in (70, 99), command

    return calls(asked)


def counted(given: Input, commands: list[list[str]]) -> list[int]:
    """Return which of an input's commands are counted."""
    if given.name in ALL_OF:
        return list(range(len(commands)))
    audits = [n for n, words in enumerate(commands) if words[:2] == ["audit", "--from"]]
    last = {words[0]: n for n, words in enumerate(commands)}
    more = [last[name] for name in LAST_TOO.get(given.name, ())]
    return [*(audits[:1] or [0]), *more]


def doubled(given: Input, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ask for twice as much: it may take 2.3 times the calls."""
    name = given.name
    made = []
    for size in (2, given.few, 2 * given.few):
        folder = tmp_path / f"{name}-{size}"
        folder.mkdir()
        made.append(given.make(size, folder))
    for which in counted(given, made[0]):
        none, once, twice = (commands[which] for commands in made)
        of_command(none, monkeypatch)  # what is imported and remembered once
        floor = of_command(none, monkeypatch)
        before = of_command(once, monkeypatch) - floor
        after = of_command(twice, monkeypatch) - floor
        assert after <= MOST * max(before, 3000), (" ".join(twice), before, after)


# The profile of calls would count what measures coverage.
@pytest.mark.no_cover
@each("given", CAPTURES)
def test_a_capture_twice_as_large_takes_twice_the_calls(
    given: Input, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubled(given, tmp_path, monkeypatch)


@pytest.mark.no_cover
@each("given", TEXTS)
def test_a_text_twice_as_long_takes_twice_the_calls(
    given: Input, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubled(given, tmp_path, monkeypatch)


@pytest.mark.no_cover
@each("given", FILES)
def test_a_file_of_settings_or_options_twice_as_long_takes_twice_the_calls(
    given: Input, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    doubled(given, tmp_path, monkeypatch)
