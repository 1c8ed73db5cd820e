"""One plan that was carried out in a guest, and what is wrong with how it went.

A ``Trial`` only says what was seen; it is kept as JSON and can be judged again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lab.plan_cases import PlanCase

__all__ = ["Moment", "Ran", "Trial", "load_trials", "problems", "save_trials"]

_READY = {
    "VFIO_GROUP_GET_STATUS": "viable",
    "VFIO_GROUP_SET_CONTAINER": "0",
    "VFIO_SET_IOMMU": "0",
}
# What QEMU 7.2 to 10 say of a device that they cannot have, or not whole.
_COMPLAINT = re.compile(r"vfio|error|fail|iommu", re.IGNORECASE)
_HOST = re.compile(r"vfio-pci,host=([0-9a-f:.]+)")


@dataclass(frozen=True)
class Ran:
    """One program that ran in the guest: its exit status and what it printed."""

    status: int
    lines: tuple[str, ...]


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


def problems(trial: Trial) -> Iterator[str]:
    """Yield everything that did not go as it must."""
    yield from _disagreements("before", trial.before)
    if trial.before.verdict == "ready":
        yield "before: audit says ready, so nothing is shown"
    if trial.before.kernel and not _refuses(trial.before.kernel):
        yield "before: the kernel refuses nothing, so nothing is shown"
    if trial.case.refused:
        yield from _refused(trial)
        return
    if trial.plan_status:
        yield f"no plan: exit {trial.plan_status}, {', '.join(trial.rules)}"
        return
    if trial.done.status:
        yield f"the script fails: {' '.join(trial.done.lines)}"
    yield from _disagreements("after", trial.after)
    if trial.after.verdict != "ready":
        yield f"after: audit says {trial.after.verdict}"
    yield from _not_accepted(trial.after.kernel)
    yield from _not_back(trial)
    yield from _qemu(trial)


def _disagreements(when: str, moment: Moment) -> Iterator[str]:
    for question in sorted({*moment.tool, *moment.kernel}):
        said, is_so = moment.tool.get(question), moment.kernel.get(question)
        if said != is_so:
            yield f"{when}: {question} is {is_so}, audit says {said}"


def _refuses(answers: Mapping[str, str]) -> bool:
    return any(
        result != _READY[question.partition(" ")[0]]
        for question, result in answers.items()
    )


def _refused(trial: Trial) -> Iterator[str]:
    if not trial.plan_status:
        yield "there is a plan, and there must be none"
    if trial.case.refused not in trial.rules:
        yield f"refused by {', '.join(trial.rules)}, not by {trial.case.refused}"
    if not trial.done.status:
        yield "the script of a refused plan succeeds"
    yield from _changed("the script of a refused plan", trial.before, trial.after)


def _not_accepted(answers: Mapping[str, str]) -> Iterator[str]:
    for operation, wanted in _READY.items():
        found = [r for q, r in answers.items() if q.partition(" ")[0] == operation]
        if not found:
            yield f"after: {operation} was not asked"
        for result in found:
            if result != wanted:
                yield f"after: {operation} says {result}"


def _not_back(trial: Trial) -> Iterator[str]:
    if trial.undone is None or trial.end is None:
        yield "the undo was not run"
        return
    if trial.undone.status:
        yield f"the undo fails: {' '.join(trial.undone.lines)}"
    yield from _changed("do and undo", trial.before, trial.end)


def _changed(what: str, first: Moment, last: Moment) -> Iterator[str]:
    for address in sorted({*first.devices, *last.devices}):
        was, is_now = first.devices.get(address), last.devices.get(address)
        if was != is_now:
            yield f"after {what}: {address} is {is_now}, was {was}"
    if first.unsafe != last.unsafe:
        yield f"after {what}: allow_unsafe_interrupts is {last.unsafe}"


def _qemu(trial: Trial) -> Iterator[str]:
    if trial.qemu is None:
        return
    if trial.qemu.status:
        yield f"QEMU ends with {trial.qemu.status}: {' '.join(trial.qemu_errors)}"
    for line in trial.qemu_errors:
        if _COMPLAINT.search(line):
            yield f"QEMU says: {line}"
    given = _HOST.findall(trial.arguments)
    if not given:
        yield "plan printed no device for QEMU"
    for address in given:
        if not any(f'"{address}"' in line for line in trial.qemu.lines):
            yield f"QEMU shows no {address}"


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
    for key in ("targets", "setup", "kernels"):
        case[key] = tuple(case.get(key, ()))
    return Trial(
        **{
            **document,
            "case": PlanCase(**case),
            "rules": tuple(document["rules"]),
            "qemu_errors": tuple(document["qemu_errors"]),
            **{k: _moment(document[k]) for k in ("before", "after", "end")},
            **{k: _ran(document[k]) for k in ("done", "undone", "qemu")},
        }
    )


def _moment(document: dict[str, Any] | None) -> Moment | None:
    if document is None:
        return None
    devices = {name: tuple(found) for name, found in document["devices"].items()}
    return Moment(**{**document, "devices": devices})


def _ran(document: dict[str, Any] | None) -> Ran | None:
    if document is None:
        return None
    return Ran(document["status"], tuple(document["lines"]))
