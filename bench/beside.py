"""How long it takes beside other tools, on the same ``/sys``.

``python -m bench.beside 100 1000`` makes hosts of so many functions and runs every tool
on each, in turn, as root in a mount namespace of its own, where the host's directory
stands for ``/sys``. It prints medians of the time, the ratio to ``lspci -Dvmmnnk``, the
CPU of all processes, and the memory that the first of them had at most (15 MB is what
this program has itself). With ``--calls`` it prints the system calls a function, by
strace, those of two hosts subtracted, so that what a program does once does not count.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.hosts import write_host

__all__ = ["calls_a_function", "inside", "main"]

_HERE = Path(__file__).parent
_OURS = Path(sys.executable).with_name("iommu-inspect")
_LSPCI = "lspci -Dvmmnnk"
# A fork of lspci for each function: nobody waits for that at a thousand.
_FEW = {"loop": 100}


def main() -> int:
    """Measure what the command line names, and print it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="+", metavar="FUNCTIONS")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--only", default="", help="tools whose name holds this")
    parser.add_argument("--calls", action="store_true", help="count system calls")
    options = parser.parse_args()
    if os.geteuid():
        sys.exit("bench: only root can put a directory in the place of /sys")
    print(f"{_machine()}, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as scratch:
        tools = {
            name: words
            for name, words in _tools(Path(scratch)).items()
            if options.only in name or name == _LSPCI
        }
        if options.calls:
            _count(tools, Path(scratch), options.sizes)
        else:
            for size in options.sizes:
                _time(tools, write_host(Path(scratch) / str(size), size), size, options)
    return 0


def _tools(scratch: Path) -> Mapping[str, Sequence[str]]:
    """Return the words of each tool that is here, by its name."""
    floor = scratch / "floor"
    compiler = shutil.which("cc")
    if compiler:
        source = str(_HERE / "floor.c")
        subprocess.run([compiler, "-O2", "-o", str(floor), source], check=True)
    found = {
        _LSPCI: _LSPCI.split(),
        "lspci -Dvvvnnk": ["lspci", "-Dvvvnnk"],
        "floor": [str(floor)] if compiler else [],
        "python3 -c pass": [sys.executable, "-c", "pass"],
        "--version": [str(_OURS), "--version"],
        "explain": [str(_OURS), "explain", "mixed-ownership"],
        "list": [str(_OURS), "list"],
        "audit": [str(_OURS), "audit"],
        "loop": ["bash", str(_HERE / "loop.sh")],
        "driverctl": ["driverctl", "list-devices"],
        "dpdk-devbind": ["dpdk-devbind.py", "--status"],
        "virt-host-validate": ["virt-host-validate", "qemu"],
    }
    there = {name: words for name, words in found.items() if _is_here(words)}
    for name in found.keys() - there.keys():
        print(f"{name}: not here, left out")
    return there


def _is_here(words: Sequence[str]) -> bool:
    return bool(words) and shutil.which(words[0]) is not None


def inside(root: Path, words: Sequence[str]) -> list[str]:
    """Return the words that run a tool where ``root`` stands for /sys."""
    script = 'mount --bind "$1" /sys && shift && exec "$@"'
    return ["unshare", "--mount", "sh", "-c", script, "sh", str(root), *words]


@dataclass(frozen=True)
class _Took:
    """What one run took: seconds, those of all its processes' CPUs, and megabytes."""

    seconds: float
    cpu: float
    memory: float


def _run(root: Path, words: Sequence[str]) -> _Took:
    started = time.perf_counter()
    running = subprocess.Popen(
        inside(root, words), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    with running:
        assert running.stderr is not None
        said = running.stderr.read()
        _, status, used = os.wait4(running.pid, 0)
        took = time.perf_counter() - started
        running.returncode = os.waitstatus_to_exitcode(status)
    # Findings, and devices without names, are no failure.
    if running.returncode not in (0, 1, 3):
        sys.exit(f"bench: {' '.join(words)}: {said.decode()[-500:]}")
    return _Took(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def _time(
    tools: Mapping[str, Sequence[str]],
    root: Path,
    size: int,
    options: argparse.Namespace,
) -> None:
    wanted = [n for n in tools if size <= _FEW.get(n, size)]
    took: dict[str, list[_Took]] = {name: [] for name in wanted}
    for turn in range(options.rounds + 1):
        for name in wanted:
            run = _run(root, tools[name])
            if turn:  # the first fills the caches
                took[name].append(run)
    beside = statistics.median(run.seconds for run in took[_LSPCI])
    print(f"\n{size} functions, medians of {options.rounds}")
    print(f"  {'':20} {'time':>12} {'beside':>7} {'CPU':>12} {'memory':>9}")
    for name, runs in took.items():
        time_, cpu, memory = (
            statistics.median(getattr(run, what) for run in runs)
            for what in ("seconds", "cpu", "memory")
        )
        print(
            f"  {name:20} {time_ * 1e3:9.1f} ms {time_ / beside:7.2f}"
            f" {cpu * 1e3:9.1f} ms {memory:6.1f} MB"
        )


def _count(
    tools: Mapping[str, Sequence[str]], scratch: Path, sizes: Sequence[int]
) -> None:
    """Print system calls a function: of the largest host less those of the least."""
    few, many = min(sizes), max(sizes)
    if few == many:
        sys.exit("bench: system calls are counted between two sizes")
    roots = {size: write_host(scratch / f"calls-{size}", size) for size in (few, many)}
    print(f"\nsystem calls a function, between {few} and {many}")
    for name, words in tools.items():
        if many > _FEW.get(name, many):
            continue
        least, most = (_calls(roots[size], words, scratch) for size in (few, many))
        print(f"  {name:20} {(most - least) / (many - few):7.1f}, and {least} of {few}")


def calls_a_function(command: str, scratch: Path, few: int, many: int) -> float:
    """Return the system calls that a command of ours takes for a function.

    Those of a host of ``few`` functions are taken from those of one of ``many``.

    Raises:
        CalledProcessError: the program failed, or strace did.
    """
    words = [sys.executable, "-m", "iommu_inspect", command]
    least, most = (
        _calls(write_host(scratch / str(size), size), words, scratch)
        for size in (few, many)
    )
    return (most - least) / (many - few)


def _calls(root: Path, words: Sequence[str], scratch: Path) -> int:
    table = scratch / "strace"
    counted = ["strace", "-f", "-qq", "-c", "-o", str(table), *words]
    subprocess.run(inside(root, counted), capture_output=True, check=False)
    (total,) = (
        line.split()[3]
        for line in table.read_text().splitlines()
        if line.endswith("total")
    )
    return int(total)


def _machine() -> str:
    models = [
        line.partition(":")[2].strip()
        for line in Path("/proc/cpuinfo").read_text().splitlines()
        if line.startswith("model name")
    ]
    model = models[0] if models else platform.machine()
    return f"{len(models)} x {model}, Linux {platform.release()}"


if __name__ == "__main__":
    sys.exit(main())
