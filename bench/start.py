"""What it takes to start: CPU of whole processes beside a bare python, and modules.

``python -m bench.start`` runs each command some times and prints the least that it
took, less what the interpreter takes itself, and how many modules it imports; what they
take from the zipapp, of which nothing is compiled beforehand, and from that when it was
unpacked; and what the classes of an audit cost, ours and the standard library's.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from tools.zipapp.bundled import wheels
from tools.zipapp.content import content
from tools.zipapp.writing import unpack, write

__all__ = ["main"]

_ROUNDS = 15
_KEEPS_NOTHING = "PYTHONDONTWRITEBYTECODE"
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
    with tempfile.TemporaryDirectory(prefix="iommu-inspect-start-") as place:
        files = content(_HOME, wheels())
        write(Path(place, "zipapp"), files)
        unpack(Path(place, "unpacked"), files)
        ways = {
            "": ["-m", "iommu_inspect"],
            ", zipapp": [f"{place}/zipapp"],
            ", unpacked": [f"{place}/unpacked"],
        }
        python = sys.executable
        calls = {
            "bare": [python, "-c", "pass"],
            "typer": [python, "-c", "import typer"],
        }
        for way, begin in ways.items():
            for name, words in commands.items():
                calls[name + way] = [python, *begin, *words]
        took = _least(calls)
        bare = took.pop("bare")
        print(f"python3 -c pass       {bare * 1e3:5.0f} ms")
        print(f"import typer          {(took.pop('typer') - bare) * 1e3:5.0f} ms more")
        for name, seconds in took.items():
            modules = f", {_modules(calls[name])} modules" if name in commands else ""
            print(f"{name:21} {(seconds - bare) * 1e3:5.0f} ms more{modules}")
    for who in ("ours", "theirs"):
        least = min(_classes(who) for _ in range(_ROUNDS))
        print(f"imports of audit with dataclasses of {who:6} {least * 1e3:5.0f} ms")
    return 0


def _least(calls: dict[str, list[str]]) -> dict[str, float]:
    """Return the least CPU seconds that each call takes; all take turns.

    A first round is for what Python compiles and keeps.
    """
    kept = {name: text for name, text in os.environ.items() if name != _KEEPS_NOTHING}

    def run(command: list[str]) -> float:
        pid = os.posix_spawn(
            command[0],
            command,
            kept,
            file_actions=[
                (os.POSIX_SPAWN_OPEN, number, os.devnull, os.O_RDWR, 0)
                for number in (1, 2)
            ],
        )
        _, _, usage = os.wait4(pid, 0)
        return usage.ru_utime + usage.ru_stime

    rounds = [
        {name: run(command) for name, command in calls.items()}
        for _ in range(_ROUNDS + 1)
    ]
    return {name: min(each[name] for each in rounds[1:]) for name in calls}


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
