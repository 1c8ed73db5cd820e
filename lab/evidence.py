"""What a guest showed and answered, kept so that it can be judged again.

Booting is slow and the tool changes: a run writes down captures and answers, and the
comparison is made from those. A folder holds ``evidence.json`` and the captures.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from lab.truth import Truth

__all__ = ["Evidence", "State", "Taken", "load", "load_all", "save"]

_FILE = "evidence.json"


@dataclass(frozen=True)
class Taken:
    """One command that was run: as ``whatif`` steps, and the kernel's answer.

    ``answer`` is ``None`` where the kernel does not say, ``host-crash`` where it died.
    """

    command: str
    steps: tuple[str, ...]
    answer: str | None


@dataclass
class State:
    """One state: the commands that led to it, then captures and answers.

    After a crash there are neither. ``left_out`` are steps that this kernel could not
    be asked to take.
    """

    taken: list[Taken] = field(default_factory=list)
    capture: bytes | None = None
    user_capture: bytes | None = None
    truth: Truth | None = None
    left_out: list[str] = field(default_factory=list)

    @property
    def not_asked(self) -> int:
        """How many questions and steps the kernel was not asked."""
        return len(self.left_out) + (self.truth.not_asked if self.truth else 0)


@dataclass
class Evidence:
    """One boot of one machine with one kernel; ``seed`` if it was a random one."""

    machine: str
    description: str
    kernel: str
    release: str
    seed: int | None = None
    states: list[State] = field(default_factory=list)
    log: str = ""

    @property
    def name(self) -> str:
        """The folder's name."""
        return f"{self.kernel}-{self.machine}"


def save(evidence: Evidence, root: Path) -> Path:
    """Write the evidence to a folder below ``root``, whole or not at all."""
    folder = root / evidence.name
    building = root / f".{evidence.name}.new"
    _remove(building)
    building.mkdir(parents=True)
    states = []
    for number, state in enumerate(evidence.states):
        for kind, capture in (("root", state.capture), ("user", state.user_capture)):
            if capture is not None:
                (building / f"{number}-{kind}.tar.gz").write_bytes(capture)
        states.append(
            {
                "taken": [[t.command, list(t.steps), t.answer] for t in state.taken],
                "truth": _truth_document(state.truth) if state.truth else None,
                "left_out": state.left_out,
            }
        )
    document = {
        "machine": evidence.machine,
        "description": evidence.description,
        "kernel": evidence.kernel,
        "release": evidence.release,
        "seed": evidence.seed,
        "states": states,
    }
    (building / _FILE).write_text(json.dumps(document, indent=1, sort_keys=True))
    (building / "console.txt").write_text(evidence.log)
    _remove(folder)
    building.rename(folder)
    return folder


def _remove(folder: Path) -> None:
    if folder.is_dir():
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()


def load(folder: Path) -> Evidence:
    """Read what ``save`` wrote."""
    document = json.loads((folder / _FILE).read_text())
    evidence = Evidence(
        document["machine"],
        document["description"],
        document["kernel"],
        document["release"],
        document["seed"],
    )
    for number, state in enumerate(document["states"]):
        evidence.states.append(
            State(
                [Taken(c, tuple(steps), answer) for c, steps, answer in state["taken"]],
                _bytes(folder / f"{number}-root.tar.gz"),
                _bytes(folder / f"{number}-user.tar.gz"),
                _truth(state["truth"]) if state["truth"] else None,
                state.get("left_out", []),
            )
        )
    return evidence


def load_all(root: Path) -> Iterator[Evidence]:
    """Read every folder below ``root``, in the order of their names."""
    for folder in sorted(root.glob("[!.]*")):
        if (folder / _FILE).is_file():
            yield load(folder)


def _bytes(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _truth_document(truth: Truth) -> dict[str, object]:
    return {
        "groups": {group: sorted(members) for group, members in truth.groups.items()},
        "ungrouped": sorted(truth.ungrouped),
        "drivers": truth.drivers,
        "answers": sorted([*key, result] for key, result in truth.answers.items()),
        "claimed": truth.claimed,
        "not_asked": truth.not_asked,
    }


def _truth(document: dict[str, object]) -> Truth:
    found = json.loads(json.dumps(document))
    return Truth(
        groups={group: frozenset(names) for group, names in found["groups"].items()},
        ungrouped=frozenset(found["ungrouped"]),
        drivers=found["drivers"],
        answers={(operation, target): r for operation, target, r in found["answers"]},
        claimed=found["claimed"],
        not_asked=found.get("not_asked", 0),
    )
