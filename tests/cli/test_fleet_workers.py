"""Workers die, hang and eat memory: the host that they were at is a row, no more."""

from __future__ import annotations

import json
import os
import pty
import resource
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from fleets import READY
from running import call

from iommu_inspect.audit.fleet.reading import read_side
from iommu_inspect.audit.fleet.side import Asked, Side
from iommu_inspect.cli.fleet import pool, work
from iommu_inspect.cli.fleet.pool import Pool
from iommu_inspect.sources.tree.opening import Text
from iommu_inspect.sources.tree.tree import Tree

ROOT = Path(__file__).resolve().parents[2]


def asked(number: int) -> tuple[int, int]:
    """Do what a task's number says: die, hang, grow, or answer who does it."""
    if number == 7:
        os.kill(os.getpid(), signal.SIGKILL)
    if number == 8:
        os._exit(3)
    if number == 9:
        time.sleep(60)
    return number, os.getpid()


def lost(number: int, because: str) -> tuple[int, str]:
    return number, because


def done(
    tasks: list[int], workers: int = 2, patience: float = 60
) -> list[tuple[int, int | str]]:
    made: Pool[int, tuple[int, int | str]] = Pool(asked, lost, workers, patience)
    return list(made.results(tasks))


def test_results_come_in_order_from_several_processes() -> None:
    found = done([*range(6), *range(10, 60)])
    assert [each[0] for each in found] == [*range(6), *range(10, 60)]
    pids = {each[1] for each in found}
    assert os.getpid() not in pids
    assert 1 <= len(pids) <= 2


def test_a_worker_that_dies_or_hangs_loses_the_task_that_it_was_at() -> None:
    found = dict(done([1, 7, 2, 8, 3, 9, 4], patience=1))
    assert found.pop(7) == "the process that read it was killed (SIGKILL)"
    assert found.pop(8) == "the process that read it ended without an answer"
    assert found.pop(9) == "it took more than 1 s, and was given up"
    assert set(found) == {1, 2, 3, 4}
    assert all(isinstance(pid, int) for pid in found.values())


def test_a_worker_is_replaced_before_it_grows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pool, "_TASKS", 5)
    found = done(list(range(100, 112)), workers=1)
    assert len({each[1] for each in found}) == 3


def test_who_needs_too_much_memory_gets_an_error_of_its_own() -> None:
    def grow(number: int) -> str:
        try:
            return str(len(bytearray(6 << 30)))
        except MemoryError:
            return f"no memory: {resource.getrlimit(resource.RLIMIT_DATA)[0]}"

    made: Pool[int, str] = Pool(grow, lambda _, because: because, 1, 60)
    assert list(made.results([1])) == [f"no memory: {pool.MEMORY}"]


def test_where_no_process_can_be_made_it_is_done_here(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def fail() -> int:
        raise OSError

    monkeypatch.setattr(os, "fork", fail)
    assert done([1, 2, 3]) == [(n, os.getpid()) for n in (1, 2, 3)]


def test_nobody_is_left_when_only_some_results_are_wanted() -> None:
    made: Pool[int, tuple[int, object]] = Pool(asked, lost, 2, 60)
    results = made.results([1, 2, 9, 9, 3])
    first = next(results)
    results.close()
    assert first[0] == 1
    assert isinstance(first[1], int)
    until = time.monotonic() + 30
    while Path(f"/proc/{first[1]}").exists():
        assert time.monotonic() < until
        time.sleep(0.01)


SLOW = """
import os, sys, time
from iommu_inspect.cli.fleet import work
def slowly(opened, asked):
    open(os.environ["MARK"], "a").close()
    time.sleep(30)
work.read_side = slowly
sys.argv = ["iommu-inspect", "fleet", *sys.argv[1:]]
from iommu_inspect.__main__ import main
main()
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_ctrl_c_leaves_no_process_and_a_clean_terminal(
    tmp_path: Path, number: signal.Signals
) -> None:
    for name in ("a", "b", "c"):
        shutil.copy(READY, tmp_path / f"{name}.tar.gz")
    mark = tmp_path / ".mark"
    ours, its = pty.openpty()
    running = subprocess.Popen(
        [sys.executable, "-c", SLOW, str(tmp_path), "--output", tmp_path / "x"],
        stderr=its,
        stdout=subprocess.DEVNULL,
        start_new_session=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MARK": str(mark)},
    )
    os.close(its)
    until = time.monotonic() + 60
    while not mark.exists():
        assert time.monotonic() < until
        time.sleep(0.05)
    time.sleep(1.3)  # until progress is told
    running.send_signal(number)
    code = running.wait(30)
    said = b""
    try:
        while piece := os.read(ours, 4096):
            said += piece
    except OSError:
        pass
    os.close(ours)
    if number is not signal.SIGKILL:
        assert code == 128 + number
        assert b"reading hosts [--------------------] 0 of 3" in said
        assert said.endswith(b"\r\x1b[K")
        assert [p.name for p in tmp_path.iterdir() if p.name.startswith(".x")] == []
        assert not members(running.pid)
    else:  # they find out when they are done with what they do
        assert members(running.pid)
        os.killpg(running.pid, signal.SIGKILL)


def members(group: int) -> list[str]:
    """Return the processes of a group that have not ended."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdecimal():
            try:
                stat = (folder / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if int(stat[2]) == group and stat[0] != "Z":
                found.append(folder.name)
    return found


def test_a_host_that_takes_too_long_is_a_row(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("a", "b"):
        shutil.copy(READY, tmp_path / f"{name}.tar.gz")
    reads = read_side

    def slowly(opened: Tree | Text, asked: Asked) -> Side:
        if opened.label.endswith("b.tar.gz"):
            time.sleep(600)
        return reads(opened, asked)

    monkeypatch.setattr(work, "read_side", slowly)
    words = ("--timeout", "5", "--workers", "2", "--format", "jsonl")
    good, late = map(json.loads, call("fleet", tmp_path, *words).stdout.splitlines())
    assert good["verdict"] == "ready"
    assert late["because"] == "it took more than 5 s, and was given up"
