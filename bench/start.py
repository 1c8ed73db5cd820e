"""What it takes to start: CPU of whole processes beside a bare python, and modules.

``python -m bench.start`` runs each command some times and prints the least that it
took, less what the interpreter takes itself, and how many modules it imports; and what
the classes of an audit cost, ours and the standard library's.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

__all__ = ["main"]

_ROUNDS = 15
_HOME = Path(__file__).parent.parent
_CLASSES = """
import dataclasses, resource, sys
import iommu_inspect.model.dataclass as ours
# Before any class is made.
if sys.argv[1] == "theirs":
    ours.dataclass = dataclasses.dataclass
import typer
before = resource.getrusage(resource.RUSAGE_SELF).ru_utime
import iommu_inspect.audit.advising, iommu_inspect.cli.session
print(resource.getrusage(resource.RUSAGE_SELF).ru_utime - before)
"""


def main() -> int:
    """Measure, and print a line for each command."""
    demo = str(_HOME / "iommu_inspect/demo.tar.gz")
    commands = {
        "--version": ["--version"],
        "explain": ["explain", "mixed-ownership"],
        "list": ["list", "--from", demo],
        "audit": ["audit", "--from", demo],
    }
    bare = _least([sys.executable, "-c", "pass"])
    print(f"python3 -c pass {bare * 1e3:5.0f} ms")
    typer = _least([sys.executable, "-c", "import typer"]) - bare
    print(f"import typer    {typer * 1e3:5.0f} ms more")
    for name, words in commands.items():
        command = [sys.executable, "-m", "iommu_inspect", *words]
        more = (_least(command) - bare) * 1e3
        print(f"{name:15} {more:5.0f} ms more, {_modules(command)} modules")
    for who in ("ours", "theirs"):
        took = min(_classes(who) for _ in range(_ROUNDS))
        print(f"imports of audit with dataclasses of {who:6} {took * 1e3:5.0f} ms")
    return 0


def _least(command: list[str]) -> float:
    """Return the least CPU seconds that a process takes."""

    def run() -> float:
        pid = os.posix_spawn(
            command[0],
            command,
            os.environ,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0)
                for number in (1, 2)
            ],
        )
        _, _, usage = os.wait4(pid, 0)
        return usage.ru_utime + usage.ru_stime

    run()
    return min(run() for _ in range(_ROUNDS))


def _modules(command: list[str]) -> int:
    python, *words = command
    done = subprocess.run(
        [python, "-X", "importtime", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    return sum(line.startswith("import time:") for line in done.stderr.splitlines()) - 1


def _classes(who: str) -> float:
    done = subprocess.run(
        [sys.executable, "-c", _CLASSES, who],
        capture_output=True,
        text=True,
        check=True,
    )
    return float(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
