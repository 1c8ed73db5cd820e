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
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from running import call
from shared import FIXTURES

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
