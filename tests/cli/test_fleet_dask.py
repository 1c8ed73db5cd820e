"""A cluster gives the result that one host gives, also where it loses a worker.

Processes of a real scheduler and real workers, on loopback.
"""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from running import call
from shared import FIXTURES

from iommu_inspect.audit.fleet.side import Asked
from iommu_inspect.cli.fleet import cluster as cluster_of
from iommu_inspect.cli.fleet.work import Done, Pair, Work
from iommu_inspect.sources.errors import SourceError
from iommu_inspect.sources.tree.many.finding import Place

pytest.importorskip("distributed", reason="install dask and distributed")

ROOT = Path(__file__).resolve().parents[2]
PYTHON = (sys.executable, "-m")
HOSTS = FIXTURES / "kernels"
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "PYTHONPATH": str(ROOT),
    "DASK_DISTRIBUTED__WORKER__MEMORY__TERMINATE": "False",
}


@dataclass(slots=True)
class Cluster:
    address: str
    folder: Path
    workers: list[subprocess.Popen[bytes]]

    def more(self, where: Path) -> None:
        log = (self.folder / f"worker{len(self.workers)}.log").open("wb")
        words = ("--nthreads", "1", "--no-dashboard", "--no-nanny")
        module = ("distributed.cli.dask_worker", self.address)
        with log:
            self.workers.append(
                subprocess.Popen(
                    [*PYTHON, *module, *words, "--death-timeout", "30"],
                    stdout=log,
                    stderr=log,
                    cwd=where,
                    env=ENVIRONMENT,
                )
            )


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    folder = tmp_path_factory.mktemp("dask")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    where = ("--host", "127.0.0.1", "--port", port, "--no-dashboard")
    with (folder / "scheduler.log").open("wb") as log:
        scheduler = subprocess.Popen(
            [*PYTHON, "distributed.cli.dask_scheduler", *where],
            stdout=log,
            stderr=log,
            cwd=folder,
            env=ENVIRONMENT,
        )
    made = Cluster(f"tcp://127.0.0.1:{port}", folder, [])
    try:
        until = time.monotonic() + 60
        while True:
            with socket.socket() as asked:
                if asked.connect_ex(("127.0.0.1", int(port))) == 0:
                    break
            assert time.monotonic() < until
            time.sleep(0.1)
        yield made
    finally:
        for process in (*made.workers, scheduler):
            process.kill()
            process.wait()


def test_a_cluster_gives_the_same_lines_and_without_workers_says_so(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(HOSTS.parent)
    words = ("fleet", HOSTS.name, "--format", "jsonl")
    dask = ("--dask", cluster.address)
    none = call(*words, *dask)
    assert (none.returncode, none.stdout) == (4, "")
    assert none.stderr == (
        f"iommu-inspect: the Dask scheduler at {cluster.address} has no workers\n"
    )
    cluster.more(tmp_path)  # somewhere else than the files
    cluster.more(tmp_path)
    expected = call(*words)
    until = time.monotonic() + 60
    while (found := call(*words, *dask)).returncode == 4:
        assert time.monotonic() < until, found.stderr
    assert (found.stdout, found.stderr) == (expected.stdout, expected.stderr)
    assert found.returncode == expected.returncode
    victim = cluster.workers[0]
    killing = threading.Timer(0.4, lambda: victim.send_signal(signal.SIGKILL))
    killing.start()
    lamed = call(*words, *dask)
    killing.join()
    assert victim.wait(30) == -signal.SIGKILL
    assert lamed.stdout == expected.stdout


def test_a_scheduler_that_is_not_there_is_a_line() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    done = call("fleet", HOSTS, "--dask", address)
    assert (done.returncode, done.stdout) == (4, "")
    assert done.stderr == (
        f"iommu-inspect: no Dask scheduler answers at {address}: Connection refused\n"
    )


@pytest.mark.parametrize(
    "address",
    ["nonsense://x:1", "tcp://", "tcp://x", "x:8786", "tcp://[x:1", "tcp://x:y"],
)
def test_what_is_no_address_is_said_at_once(address: str) -> None:
    done = call("fleet", HOSTS, "--dask", address)
    assert (done.returncode, done.stdout) == (2, "")
    assert "is no address of a scheduler" in done.stderr


def test_without_dask_it_is_said_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    done = call("fleet", HOSTS, "--dask", "tcp://127.0.0.1:8786")
    assert done.returncode == 4
    assert "pip install 'iommu-inspect[dask]'" in done.stderr


class Lost:
    """A cluster of which everything fails in one way, as no real one does to order."""

    def __init__(self, error: Exception, versions: object = None) -> None:
        self.error, self.versions = error, versions

    def scheduler_info(self, n_workers: int = 5) -> dict[str, dict[str, object]]:
        return {"workers": {"tcp://a:1": {"nthreads": 2}}}

    def run(self, function: Callable[[], object]) -> dict[str, object]:
        if self.versions is None:
            raise self.error
        return {"tcp://a:1": self.versions}

    def submit(self, *_: object, pure: bool) -> Lost:
        assert not pure  # or Dask would take an old answer for the new one
        return self

    def result(self) -> list[Done]:
        raise self.error


TODO = tuple(Pair(Place(f"host{n}", "x")) for n in range(30))


def results(error: Exception) -> list[Done]:
    lamed = Lost(error)
    found = cluster_of._results(lamed, "tcp://x:1", Work(Asked()), TODO, 60, 1)
    return list(found)


def test_hosts_that_no_worker_survives_are_rows() -> None:
    from distributed import KilledWorker

    worker: Any = None  # who was the last one is of no matter
    found = results(KilledWorker("x", worker, 3))
    assert [each.tally.worst[0].host for each in found] == [
        pair.now.host for pair in TODO if pair.now
    ]
    assert {each.tally.worst[0].because for each in found} == {
        "several workers of the cluster were lost while they read it"
    }


def test_a_scheduler_that_goes_away_is_a_line_and_a_bug_of_ours_is_none() -> None:
    from concurrent.futures import CancelledError

    for error in (OSError("x"), RuntimeError("x"), CancelledError()):
        with pytest.raises(SourceError, match="went away"):
            results(error)
    with pytest.raises(ZeroDivisionError):
        results(ZeroDivisionError())


def test_workers_that_would_answer_otherwise_are_refused() -> None:
    error = ModuleNotFoundError("No module named 'iommu_inspect'")
    with pytest.raises(SourceError, match="cannot run iommu-inspect: ModuleNotFound"):
        cluster_of._threads(Lost(error), "tcp://x:1")
    with pytest.raises(SourceError, match=r"tcp://a:1 has iommu-inspect 0\.0 on"):
        cluster_of._threads(Lost(error, ("0.0", "3.9")), "tcp://x:1")
    own = cluster_of._versions()
    assert cluster_of._threads(Lost(error, own), "tcp://x:1") == 2
