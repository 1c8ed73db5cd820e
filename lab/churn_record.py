"""What a churn showed, kept so that it can be judged again.

A folder holds ``churn.json``, the tool's own snapshot of every state at rest, and every
run of the tool, whole: ``runs.jsonl.xz``. Documents repeat, so that is small.
"""

from __future__ import annotations

import json
import lzma
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from lab.cache import new_directory

__all__ = [
    "Churned",
    "Power",
    "Run",
    "load_all_churned",
    "load_churned",
    "read_runs",
    "save_churned",
    "window",
]

_FILE = "churn.json"


@dataclass(frozen=True, slots=True)
class Run:
    """One run of the tool in the guest: what was asked, when, and what came of it.

    ``first`` and ``last`` are how many lines the journal had before and after. A
    negative ``code`` is a signal; ``stuck`` is what the kernel said of a run that had
    to be ended.
    """

    asked: tuple[str, ...]
    own: bool
    code: int
    out: str
    err: str
    seconds: float
    cpu: float
    stuck: str
    first: int
    last: int


@dataclass(frozen=True, slots=True)
class Power:
    """What the kernel says of each device's power, before and after runs of the tool.

    The last word of a line is for how long the device was awake.
    """

    before: tuple[str, ...]
    after: tuple[str, ...]


@dataclass
class Churned:
    """One boot of one machine: its states, its journal and the runs of the tool.

    ``journal`` has ``at N`` for state N, and ``to N A,B`` where the guest leaves a
    state for N, perhaps by way of A and B. ``idle`` are runs in the quiet guest, in
    state ``quiet``; ``power`` is what was around them.
    """

    machine: str
    kernel: str
    release: str
    seed: int
    minutes: float
    bound: float
    quiet: int = 0
    states: list[str] = field(default_factory=list)
    snapshots: list[bytes] = field(default_factory=list)
    journal: list[str] = field(default_factory=list)
    idle: list[Run] = field(default_factory=list)
    runs: list[Run] = field(default_factory=list)
    power: Power | None = None
    log: str = ""

    @property
    def name(self) -> str:
        """The folder's name."""
        return f"{self.kernel}-{self.machine}"

    @property
    def passed(self) -> int:
        """How often the guest came to a state."""
        return sum(line.startswith("at ") for line in self.journal)

    @property
    def different(self) -> int:
        """How many states the guest came to."""
        return len({line for line in self.journal if line.startswith("at ")})


def window(journal: list[str], first: int, last: int) -> frozenset[int]:
    """Return the states that may have been there during a run.

    That is the one in which it began, those that were left or reached since, and those
    on the way between two.
    """
    found = set[int]()
    begin = max(first - 1, 0)
    while begin and not journal[begin].startswith("at "):
        begin -= 1
    for line in journal[begin : max(last, begin + 1)]:
        _, state, *via = line.split()
        found.add(int(state))
        found |= {int(number) for word in via for number in word.split(",")}
    return frozenset(found)


def save_churned(churned: Churned, root: Path) -> Path:
    """Write it to a folder below ``root``, whole or not at all."""
    folder = root / churned.name
    document = {
        "machine": churned.machine,
        "kernel": churned.kernel,
        "release": churned.release,
        "seed": churned.seed,
        "minutes": churned.minutes,
        "bound": churned.bound,
        "quiet": churned.quiet,
        "states": churned.states,
        "journal": churned.journal,
        "power": churned.power and [churned.power.before, churned.power.after],
    }
    with new_directory(folder) as draft:
        (draft / _FILE).write_text(json.dumps(document, indent=1))
        (draft / "console.txt").write_text(churned.log)
        for number, snapshot in enumerate(churned.snapshots):
            (draft / f"{number}.tar.xz").write_bytes(lzma.compress(snapshot))
        for name, runs in (("idle", churned.idle), ("runs", churned.runs)):
            lines = "".join(f"{json.dumps(_as_document(run))}\n" for run in runs)
            packed = lzma.compress(lines.encode())
            (draft / f"{name}.jsonl.xz").write_bytes(packed)
    return folder


def _as_document(run: Run) -> dict[str, Any]:
    return {name: getattr(run, name) for name in Run.__slots__}


def load_churned(folder: Path) -> Churned:
    """Read what ``save_churned`` wrote."""
    document = json.loads((folder / _FILE).read_text())
    power = document.pop("power")
    churned = Churned(**document)
    churned.power = Power(tuple(power[0]), tuple(power[1])) if power else None
    for number in range(len(churned.states)):
        packed = (folder / f"{number}.tar.xz").read_bytes()
        churned.snapshots.append(lzma.decompress(packed))
    for name, kept in (("idle", churned.idle), ("runs", churned.runs)):
        lines = lzma.decompress((folder / f"{name}.jsonl.xz").read_bytes()).decode()
        kept.extend(read_runs(lines))
    churned.log = (folder / "console.txt").read_text()
    return churned


def read_runs(lines: str) -> Iterator[Run]:
    """Read the lines that ``churn_tool`` wrote; a last one may be half there."""
    for line in lines.splitlines():
        try:
            document = json.loads(line)
        except json.JSONDecodeError:
            return
        yield Run(**{**document, "asked": tuple(document["asked"])})


def load_all_churned(root: Path) -> Iterator[Churned]:
    """Read every folder below ``root``, in the order of their names."""
    for folder in sorted(root.glob("[!.]*")):
        if (folder / _FILE).is_file():
            yield load_churned(folder)
