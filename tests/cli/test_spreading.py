"""Work is spread over processes, and nothing of it is lost with them."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from iommu_inspect.cli import spreading
from iommu_inspect.cli.spreading import WORTH_PROCESSES, spread

COUNT = WORTH_PROCESSES + 5


@pytest.fixture(autouse=True)
def _three_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})


def test_many_are_answered_in_order_by_several_processes() -> None:
    found = list(spread(lambda number: (number, os.getpid()), COUNT))
    assert [number for number, _ in found] == list(range(COUNT))
    assert len({pid for _, pid in found}) == 3


def test_few_are_answered_here() -> None:
    found = set(spread(lambda _: os.getpid(), WORTH_PROCESSES - 1))
    assert found == {os.getpid()}


def test_what_a_process_was_to_answer_is_answered_here_where_it_ends() -> None:
    here = os.getpid()

    def answer(number: int) -> int:
        if os.getpid() != here and number > 100:
            os.kill(os.getpid(), signal.SIGKILL)
        return number

    assert list(spread(answer, COUNT)) == list(range(COUNT))


@pytest.mark.parametrize("broken", ["fork", "pipe"])
def test_without_processes_all_is_answered_here(
    monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    def fail() -> None:
        raise OSError

    monkeypatch.setattr(os, broken, fail)
    assert list(spread(lambda number: number, COUNT)) == list(range(COUNT))


def test_an_error_is_raised_here() -> None:
    def answer(number: int) -> int:
        if number == 100:
            raise ValueError(number)
        return number

    with pytest.raises(ValueError, match="100"):
        list(spread(answer, COUNT))


def test_no_process_outlives_the_one_that_asked(tmp_path: Path) -> None:
    """Whoever is killed leaves nobody behind who waits for ever."""
    mark = tmp_path / "pids"
    asking = os.fork()
    if not asking:
        try:
            list(spread(lambda _: _noted(mark), COUNT))
        finally:
            os._exit(0)
    while not mark.exists() or len(set(mark.read_text().split())) < 3:
        time.sleep(0.01)
    os.kill(asking, signal.SIGKILL)
    os.waitpid(asking, 0)
    others = {int(pid) for pid in mark.read_text().split()} - {asking}
    until = time.monotonic() + 60
    while any(_runs(pid) for pid in others):
        assert time.monotonic() < until
        time.sleep(0.05)


def _noted(mark: Path) -> bytes:
    with mark.open("a") as file:
        file.write(f"{os.getpid()}\n")
    time.sleep(0.005)
    return b"x" * 10_000


def _runs(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False


def test_processes_are_made_for_a_large_host_only() -> None:
    assert 100 < spreading.WORTH_PROCESSES < 2000
