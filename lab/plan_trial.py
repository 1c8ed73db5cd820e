"""What was seen of one plan that was carried out in a guest.

It is kept as JSON, and can be judged again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.plan_case import PlanCase

__all__ = [
    "Moment",
    "Ran",
    "Trial",
    "Typed",
    "load_trials",
    "save_trials",
]


@dataclass(frozen=True)
class Ran:
    """One program that ran in the guest: its exit status and what it printed."""

    status: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Typed:
    """One printed line that was typed by itself, and how it ended."""

    line: str
    ran: Ran


@dataclass(frozen=True)
class Moment:
    """One state: what ``audit`` says, what the kernel says, and who has the devices.

    ``tool`` and ``kernel`` are answers by ``OPERATION GROUP``; ``devices`` is driver
    and override of every device; ``unsafe`` whether interrupts that are not remapped
    are allowed.
    """

    verdict: str
    tool: Mapping[str, str]
    kernel: Mapping[str, str]
    devices: Mapping[str, tuple[str, str]]
    unsafe: bool


@dataclass(frozen=True)
class Trial:
    """What was seen of one case on one kernel.

    ``undone`` and ``end`` are missing where there was no plan. ``rules`` are those
    that refused. ``qemu`` is what QEMU's monitor printed, ``qemu_errors`` the rest.
    ``checks`` are the printed checks with the guest's answers, ``careless`` is the
    script without somebody having looked, where it asks for that. ``steps`` are those
    of the document with the answers that it foretells; ``typed`` and ``back`` are the
    printed steps, there and back, typed one by one; ``unprinted`` is what the document
    holds and the text for people does not. ``alive`` says whether the host still works.
    """

    case: PlanCase
    kernel: str
    release: str
    before: Moment
    plan_status: int
    rules: tuple[str, ...]
    script: str
    done: Ran
    after: Moment
    undone: Ran | None = None
    end: Moment | None = None
    arguments: str = ""
    qemu: Ran | None = None
    qemu_errors: tuple[str, ...] = ()
    checks: tuple[Typed, ...] = ()
    careless: Ran | None = None
    careless_devices: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    steps: tuple[tuple[str, str], ...] = ()
    typed: tuple[Typed, ...] = ()
    typed_devices: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    back: tuple[Typed, ...] = ()
    back_devices: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    unprinted: tuple[str, ...] = ()
    alive: Ran | None = None


def save_trials(trials: list[Trial], root: Path) -> Path:
    """Write the trials of one boot to a file below ``root``."""
    first = trials[0]
    root.mkdir(parents=True, exist_ok=True)
    path = root / f"{first.kernel}-{first.case.machine}.json"
    draft = path.with_suffix(".new")
    draft.write_text(json.dumps([asdict(t) for t in trials], indent=1, sort_keys=True))
    draft.rename(path)
    return path


def load_trials(root: Path) -> list[Trial]:
    """Read what ``save_trials`` wrote, in the order of the files' names."""
    return [
        _trial(document)
        for path in sorted(root.glob("*.json"))
        for document in json.loads(path.read_text())
    ]


def _trial(document: dict[str, Any]) -> Trial:
    case = document["case"]
    for key in ("targets", "setup", "kernels", "lost", "answers"):
        case[key] = tuple(case[key])
    moments = ("before", "after", "end")
    runs = ("done", "undone", "qemu", "careless", "alive")
    return Trial(
        **{
            **document,
            "case": PlanCase(**case),
            **{k: tuple(document[k]) for k in ("rules", "qemu_errors", "unprinted")},
            "steps": tuple((step, result) for step, result in document["steps"]),
            **{k: _moment(document[k]) for k in moments},
            **{k: _ran(document[k]) for k in runs},
            **{k: _typed(document[k]) for k in ("checks", "typed", "back")},
            **{k: _devices(document[k]) for k in _DEVICES},
        }
    )


_DEVICES = ("careless_devices", "typed_devices", "back_devices")


def _moment(document: dict[str, Any] | None) -> Moment | None:
    if document is None:
        return None
    return Moment(**{**document, "devices": _devices(document["devices"])})


def _devices(document: dict[str, list[str]]) -> dict[str, tuple[str, str]]:
    return {name: (driver, override) for name, (driver, override) in document.items()}


def _typed(documents: list[dict[str, Any]]) -> tuple[Typed, ...]:
    return tuple(
        Typed(found["line"], Ran(found["ran"]["status"], tuple(found["ran"]["lines"])))
        for found in documents
    )


def _ran(document: dict[str, Any] | None) -> Ran | None:
    if document is None:
        return None
    return Ran(document["status"], tuple(document["lines"]))
