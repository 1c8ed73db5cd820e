"""The fuzzers' targets on a few seeds, what they have found, and the loop itself."""

from __future__ import annotations

import importlib
import random
from pathlib import Path

import pytest

from fuzz import run
from fuzz.all import TARGETS
from fuzz.ledger import Entry, append, read, table
from fuzz.run import Target, fuzz
from fuzz.shrink import shrunk

CORPUS = Path(run.__file__).parent / "corpus"
FOUND = sorted(path for path in CORPUS.glob("*/*"))
# What an input costs differs: each has its share of a second or two.
SEEDS = {"machines": 8, "settings": 8, "texts": 6, "pastes": 10, "lspci_text": 10}


def target(name: str) -> Target:
    found: Target = importlib.import_module(f"fuzz.{name}").TARGET
    assert found.name == name
    return found


@pytest.mark.parametrize("name", TARGETS)
def test_no_input_is_too_much(name: str) -> None:
    tried = target(name)
    for seed in range(SEEDS.get(name, 40)):
        tried.check(tried.make(random.Random(seed)))


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.name)
def test_what_was_found_once_stays_mended(file: Path) -> None:
    assert file.stat().st_size <= 16 << 10, "make it smaller"
    target(file.parent.name).check(file.read_bytes())


def test_the_same_seed_makes_the_same_input() -> None:
    for name in TARGETS:
        first, again = (target(name).make(random.Random(7)) for _ in range(2))
        assert first == again, name


def needle(data: bytes) -> None:
    if b"x" in data and b"y" in data:
        raise ValueError


def test_a_failing_input_is_made_small_and_kept_and_the_loop_goes_on(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = Target("hay", lambda dice: bytes(dice.choices(b"abxy\n", k=99)), needle)
    entry = run.fuzz(made, 1, 0.1, tmp_path)
    assert (entry.target, entry.seed, entry.failures) == ("hay", 1, 1)
    assert entry.inputs > 1
    assert entry.cpu >= 0.1
    assert sorted((tmp_path / "hay-1").read_bytes()) == sorted(b"xy")
    assert "needle" in (tmp_path / "hay-1.txt").read_text()
    assert "1 failures" in capsys.readouterr().out


def hanging(_: bytes) -> None:
    while True:
        try:
            while True:
                pass
        except Exception:
            raise AssertionError from None


def test_an_input_that_takes_too_long_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run, "SLOW", 0.05)
    monkeypatch.setattr(run, "_SHRINKING", 0.1)
    made = Target("slow", lambda _: b"xx", hanging)
    assert fuzz(made, 1, 0.1, tmp_path).failures == 1
    assert "SlowError" in (tmp_path / "slow-1.txt").read_text()


def test_what_fails_is_left_with_what_it_needs() -> None:
    text = b"one\ntwo\nthree\nfour\n"
    assert shrunk(text, lambda d: b"hr" in d, by_lines=True, seconds=5) == b"hr"


def test_a_ledger_adds_up(tmp_path: Path) -> None:
    file = tmp_path / "ledger"
    append(file, Entry("a", "1234", 1, 10, 2.5, 0))
    append(file, Entry("a", "1234", 11, 5, 2.5, 1))
    append(file, Entry("b", "1234+", 1, 1, 1.0, 0))
    assert read([file])[1] == Entry("a", "1234", 11, 5, 2.5, 1)
    assert table(read([file])).splitlines()[2:] == [
        "| a | 15 | 5 | 2 | 1 |",
        "| b | 1 | 1 | 1 | 0 |",
        "| all | 16 | 6 | 3 | 1 |",
    ]
