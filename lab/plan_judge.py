"""What is wrong with how a plan went in a guest."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from lab.plan_trial import Moment, Trial

__all__ = ["problems"]

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
