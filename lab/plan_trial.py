"""One plan that was carried out in a guest, and what is wrong with how it went.

A ``Trial`` only says what was seen; it is kept as JSON and can be judged again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from lab.plan_cases import PlanCase

__all__ = [
    "Moment",
    "Ran",
    "Trial",
    "Typed",
    "load_trials",
    "problems",
    "save_trials",
]

_READY = {
    "VFIO_GROUP_GET_STATUS": "viable",
    "VFIO_GROUP_SET_CONTAINER": "0",
    "VFIO_SET_IOMMU": "0",
}
# What QEMU 7.2 to 10 say of a device that they cannot have, or not whole.
_COMPLAINT = re.compile(r"vfio|error|fail|iommu", re.IGNORECASE)
# What plan ends with where a check has to be made first.
_CONDITIONAL = 3
_HOST = re.compile(r"vfio-pci,host=([0-9a-f:.]+)")


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


def problems(trial: Trial) -> Iterator[str]:
    """Yield everything that did not go as it must."""
    yield from _disagreements("before", trial.before)
    if trial.before.verdict == "ready":
        yield "before: audit says ready, so nothing is shown"
    if trial.before.kernel and not _refuses(trial.before.kernel):
        yield "before: the kernel refuses nothing, so nothing is shown"
    if trial.alive is not None and trial.alive.status:
        yield f"the host does not work any more: {' '.join(trial.alive.lines)}"
    for line in trial.unprinted:
        yield f"plan does not print for people: {line}"
    yield from _looked_at(trial)
    if trial.case.refused:
        yield from _refused(trial)
        return
    if trial.plan_status != (_CONDITIONAL if trial.checks else 0) or trial.rules:
        yield f"no plan: exit {trial.plan_status}, {', '.join(trial.rules)}"
        return
    if trial.case.stops:
        yield from _stopped(trial)
        return
    if trial.done.status:
        yield f"the script fails: {' '.join(trial.done.lines)}"
    yield from _disagreements("after", trial.after)
    if trial.after.verdict != "ready":
        yield f"after: audit says {trial.after.verdict}"
    yield from _not_accepted(trial.after.kernel)
    yield from _not_back(trial)
    yield from _step_by_step(trial)
    yield from _qemu(trial)


def _looked_at(trial: Trial) -> Iterator[str]:
    """Compare the answers of the printed checks with those that they must have."""
    if trial.case.is_conditional and not trial.rules and not trial.checks:
        yield "a fact is missing, and nothing is to be looked at"
    if not trial.case.is_conditional and trial.checks:
        yield "nothing is missing, and something is to be looked at"
    said = "\n".join(line for check in trial.checks for line in check.ran.lines)
    for pattern in trial.case.answers:
        if not re.search(pattern, said, re.MULTILINE):
            yield f"no check answers {pattern}: {said[:200]}"
    for check in trial.checks:
        # grep ends with 1 where it finds nothing, and that is an answer.
        if check.ran.status > 1:
            yield f"the check fails: {check.line}: {' '.join(check.ran.lines)}"
    if trial.careless is not None:
        if not trial.careless.status:
            yield "the script does not ask whether somebody has looked"
        yield from _changed(
            "a script that nobody looked for",
            trial.before.devices,
            trial.careless_devices,
        )


def _stopped(trial: Trial) -> Iterator[str]:
    if not trial.done.status:
        yield "the script goes on although a check fails"
    said = " ".join(trial.done.lines)
    if trial.case.stops not in said:
        yield f"the script stops with: {said}"
    yield from _unchanged("the script that a check stops", trial.before, trial.after)


def _step_by_step(trial: Trial) -> Iterator[str]:
    """Compare the steps that were typed with those foretold, and with the script."""
    lines = [typed for typed in trial.typed if _is_on_device(typed.line)]
    if len(lines) != len(trial.steps):
        yield f"{len(trial.steps)} steps are foretold, {len(lines)} are printed"
    for (step, result), typed in zip(trial.steps, lines, strict=False):
        if (result == "0") != (typed.ran.status == 0):
            said = " ".join(typed.ran.lines) or "0"
            yield f"step {step}: {result} is foretold, the guest says {said}"
    for typed in (*trial.typed, *trial.back):
        if typed.ran.status:
            yield f"{typed.line} fails: {' '.join(typed.ran.lines)}"
    yield from _changed(
        "the steps one by one, not the script,",
        trial.after.devices,
        trial.typed_devices,
    )
    yield from _changed(
        "the undo line by line", trial.before.devices, trial.back_devices
    )


def _is_on_device(line: str) -> bool:
    return "/sys/bus/" in line


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
    yield from _unchanged("the script of a refused plan", trial.before, trial.after)


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
    yield from _unchanged("do and undo", trial.before, trial.end)


def _unchanged(what: str, first: Moment, last: Moment) -> Iterator[str]:
    yield from _changed(what, first.devices, last.devices)
    if first.unsafe != last.unsafe:
        yield f"after {what}: allow_unsafe_interrupts is {last.unsafe}"


def _changed(
    what: str,
    first: Mapping[str, tuple[str, str]],
    last: Mapping[str, tuple[str, str]],
) -> Iterator[str]:
    for address in sorted({*first, *last}):
        was, is_now = first.get(address), last.get(address)
        if was != is_now:
            yield f"after {what}: {address} is {is_now}, was {was}"


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
