"""Runs ``fleet`` over many snapshots, and prints what that takes.

    python -m bench.fleet --hosts 1000 10000 [--dask 1000] [--keep FOLDER]

Snapshots are those of `bench.fleets`. For each number of hosts there is a run with one
worker and one with all processors; printed are wall time, processor time of all
processes, how many processors that is, and the largest resident size of the parent and
of any worker. Results have to be the same bytes. With ``--dask`` a scheduler and two
workers are started on loopback, and asked about so many of them twice: the second time
one worker is killed in the middle. Ends with status 1 where a result differs.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import os
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from bench.fleets import write_fleet

_ROOT = Path(__file__).resolve().parents[1]
_LIMIT_MB = 300
_SAMPLE = 0.1


@dataclass(slots=True)
class Run:
    """What a run took, and what came of it."""

    wall: float
    cpu: float
    parent_mb: float
    worker_mb: float
    code: int
    digest: str


@dataclass(slots=True)
class _Peaks:
    """The largest sizes that were seen of a process, of others, and of children."""

    pid: int
    others: tuple[int, ...] = ()
    parent: float = 0
    workers: dict[int, float] = field(default_factory=dict)
    done: bool = False

    def watch(self) -> None:
        while not self.done:
            self.parent = max(self.parent, _peak(self.pid))
            children = [c for pid in (self.pid, *self.others) for c in _children(pid)]
            for each in (*self.others, *children):
                self.workers[each] = max(self.workers.get(each, 0), _peak(each))
            time.sleep(_SAMPLE)


def _peak(pid: int) -> float:
    """Return the largest resident size of a process so far, in MB."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _children(pid: int) -> list[int]:
    with contextlib.suppress(OSError):
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
        return [int(word) for word in text.split()]
    return []


def run(
    folder: Path, out: Path, form: str, *words: str, workers: tuple[int, ...] = ()
) -> Run:
    """Run fleet over a folder, and write what it makes to a file.

    ``workers`` are processes of a cluster, which are watched as its own are.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.monotonic()
    command = [sys.executable, "-m", "iommu_inspect", "fleet", str(folder)]
    process = subprocess.Popen(
        [*command, "--format", form, "--output", str(out), *words],
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(_ROOT)},
        text=True,
    )
    peaks = _Peaks(process.pid, workers)
    watching = threading.Thread(target=peaks.watch)
    watching.start()
    _, said = process.communicate()
    wall = time.monotonic() - start
    peaks.done = True
    watching.join()
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    if process.returncode not in (0, 1, 3):
        raise SystemExit(f"fleet ended with {process.returncode}: {said}")
    digest = hashlib.sha256(out.read_bytes()).hexdigest()
    worker = max(peaks.workers.values(), default=0)
    return Run(wall, cpu, peaks.parent, worker, process.returncode, digest)


def _line(what: str, hosts: int, made: Run) -> str:
    return (
        f"{what:<22} {hosts:>6} hosts {made.wall:7.1f} s {made.cpu:7.1f} s CPU "
        f"{made.cpu / made.wall:5.2f} processors {hosts / made.wall:6.0f} hosts/s  "
        f"parent {made.parent_mb:4.0f} MB  worker {made.worker_mb:4.0f} MB"
    )


def local(hosts: int, folder: Path, out: Path) -> tuple[bool, Run]:
    """Run with one worker and with all; say whether all is as it should be."""
    one = run(folder, out / "one.jsonl", "jsonl", "--workers", "1")
    print(_line("1 worker", hosts, one), flush=True)
    count = len(os.sched_getaffinity(0))
    every = run(folder, out / "all.jsonl", "jsonl")
    print(_line(f"{count} workers", hosts, every), flush=True)
    page = run(folder, out / "all.html", "html")
    size = (out / "all.html").stat().st_size / 1024
    print(f"{_line('HTML', hosts, page)}  {size:.0f} KiB", flush=True)
    rows = run(folder, out / "all.parquet", "parquet")
    size = (out / "all.parquet").stat().st_size / 1024
    print(f"{_line('Parquet', hosts, rows)}  {size:.0f} KiB", flush=True)
    print(f"{count} workers are {one.wall / every.wall:.2f} times as fast as 1")
    same = one.digest == every.digest
    print(f"the same bytes: {'yes' if same else 'NO'}")
    flat = all(
        each.parent_mb < _LIMIT_MB and each.worker_mb < _LIMIT_MB
        for each in (one, every, page, rows)
    )
    print(f"below {_LIMIT_MB} MB, each process: {'yes' if flat else 'NO'}", flush=True)
    return same and flat, every


@contextlib.contextmanager
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """Start a scheduler and two workers; end them."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    address = f"tcp://127.0.0.1:{port}"
    dask = [sys.executable, "-m", "distributed.cli.dask_scheduler"]
    worker = [sys.executable, "-m", "distributed.cli.dask_worker", address]
    words = ("--nthreads", "1", "--no-dashboard", "--no-nanny", "--death-timeout", "60")
    log = (folder / "dask.log").open("ab")
    environment = {**os.environ, "PYTHONPATH": str(_ROOT)}

    def start(command: list[str]) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            command, stdout=log, stderr=log, cwd=folder, env=environment
        )

    where = ("--host", "127.0.0.1", "--port", str(port), "--no-dashboard")
    running = [start([*dask, *where])]
    try:
        running += [start([*worker, *words]) for _ in range(2)]
        time.sleep(8)
        yield address, running
    finally:
        for process in reversed(running):
            process.kill()
            process.wait()
        log.close()


def by_dask(hosts: int, folder: Path, out: Path, every: Run) -> bool:
    """Ask a cluster; then ask it again and kill one of its workers in the middle."""
    right = True
    with cluster(out) as (address, running):
        workers = tuple(process.pid for process in running[1:])
        given = ("--dask", address)
        plain = run(folder, out / "dask.parquet", "parquet", *given, workers=workers)
        print(_line("Dask, 2 workers", hosts, plain), flush=True)
        right &= _same("Dask", _alike(out / "all.parquet", out / "dask.parquet"))
        killed = threading.Timer(
            plain.wall / 2, lambda: running[1].send_signal(signal.SIGKILL)
        )
        killed.start()
        lamed = run(folder, out / "killed.jsonl", "jsonl", *given, workers=workers)
        alive = sum(process.poll() is None for process in running[1:])
        print(_line(f"Dask, {2 - alive} killed", hosts, lamed), flush=True)
        right &= _same("Dask, one killed", lamed.digest == every.digest and alive == 1)
    return right


def _same(what: str, same: bool) -> bool:
    print(f"{what}: the same result: {'yes' if same else 'NO'}", flush=True)
    return same


def _alike(one: Path, other: Path) -> bool:
    """Let DuckDB compare two files, row by row and in both directions."""
    import duckdb

    left, right = f"'{one}'", f"'{other}'"
    with duckdb.connect() as connection:
        found = connection.execute(
            f"SELECT (SELECT count(*) FROM {left}), (SELECT count(*) FROM {right}), "
            f"(SELECT count(*) FROM (FROM {left} EXCEPT ALL FROM {right}))"
        ).fetchall()
    ((rows, others, more),) = found
    print(f"Parquet: {rows} and {others} rows, {more} that only one has", flush=True)
    return bool(rows == others and more == 0)


def main() -> int:
    """Do what the command line says."""
    parser = argparse.ArgumentParser(prog="python -m bench.fleet")
    parser.add_argument("--hosts", type=int, nargs="+", default=[1000, 10_000])
    parser.add_argument("--dask", type=int, help="ask a cluster about so many too")
    parser.add_argument("--keep", help="keep the snapshots in this directory")
    given = parser.parse_args()
    right, before = True, None
    with tempfile.TemporaryDirectory() as made:
        out, root = Path(made), Path(given.keep or made)
        for hosts in given.hosts:
            folder = root / f"fleet{hosts}"
            if not folder.exists():
                start = time.monotonic()
                write_fleet(folder, hosts)
                size = sum(f.stat().st_size for f in folder.rglob("*.gz")) >> 20
                took = time.monotonic() - start
                print(f"wrote {hosts} snapshots: {size} MB, {took:.0f} s", flush=True)
            is_right, every = local(hosts, folder, out)
            right &= is_right
            if hosts == given.dask:
                right &= by_dask(hosts, folder, out, every)
            if before is not None:
                print(
                    f"worker {every.worker_mb / before.worker_mb:.2f} times as large, "
                    f"parent {every.parent_mb / before.parent_mb:.2f} times"
                )
            before = every
    return 0 if right else 1


if __name__ == "__main__":
    sys.exit(main())
