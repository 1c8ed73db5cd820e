"""Makes ``docs/plans-lab.md``: the plans that were carried out, and how it went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lab.plan_judge import problems
from lab.plan_trial import Trial
from lab.report import rank, table

__all__ = ["render_plans", "summary"]

_HEAD = """\
# Plans that were carried out

The lab (`lab/`) boots a kernel on an emulated machine, captures its state, and has the
tool make a plan of the capture. The script that `plan --format shell` prints is run in
the guest as it is, by Debian's `dash`; the state is looked at, `undo` is run, and the
state is looked at again. Then the steps that `plan` prints for people are typed one by
one, and their undo: each has to be answered as the document foretells, and both have to
lead to where the script led. For some, QEMU starts in the guest with what
`plan --format qemu` prints.
"""
_ABOUT = """\
*before*: what `audit` says and what the kernel answers to VFIO's calls (open and
`GET_STATUS`, `SET_CONTAINER`, `SET_IOMMU`); both have to agree. *after* is the same
after the script. *undo same*: the drivers and overrides of all devices are those of
before. Where a plan must be refused, the script has to fail and change nothing, and
what the host lives on has to work as before.
"""
_ABOUT_CHECKS = """\
The source tells less than the guest would: members were taken out of the capture, or
the plan was made of a text. Each printed check was run in the guest, and its answer
compared with the one that the machine must give. Where the script asks whether somebody
has looked, it was run without that first, and had to change nothing.
"""


def render_plans(trials: Sequence[Trial], command: str) -> str:
    """Return the page; it depends on the trials and the command only."""
    ordered = sorted(trials, key=lambda t: (rank(t.kernel), t.case.machine))
    kernels = list(dict.fromkeys(trial.kernel for trial in ordered))
    planned = [trial for trial in ordered if _is_planned(trial)]
    refused = [trial for trial in ordered if trial.case.refused]
    stopped = [trial for trial in ordered if trial.case.stops]
    parts = [
        _HEAD,
        f"Made by `{command}`. What was seen stays in the lab's cache.\n",
        f"**{summary(ordered)}**\n",
        _kernels(ordered, kernels),
        _ABOUT,
        *_wrong(ordered),
        "## Carried out\n",
        _cases(planned, kernels),
        "## Refused, as they must be\n",
        _refusals(refused, kernels),
        "## Conditional, and their checks\n",
        _ABOUT_CHECKS,
        _checks([t for t in ordered if t.checks], kernels),
        "## Stopped by a check, as they must be\n",
        _stops(stopped, kernels),
    ]
    return "\n".join(parts)


def summary(trials: Sequence[Trial]) -> str:
    """Return how many there were, and how they went, in a sentence."""
    planned = [trial for trial in trials if _is_planned(trial)]
    refused = sum(bool(trial.case.refused) for trial in trials)
    stopped = sum(bool(trial.case.stops) for trial in trials)
    steps = sum(len(trial.typed) + len(trial.back) for trial in planned)
    kernels = len({trial.kernel for trial in trials})
    bad = sum(any(problems(trial)) for trial in trials)
    return (
        f"{len({trial.case.name for trial in planned})} combinations of machine and "
        f"targets on {kernels} kernel{'' if kernels == 1 else 's'}: {len(planned)} "
        f"plans carried out and undone, and {steps} printed steps typed; {refused} "
        f"refused and {stopped} stopped by a check, as they must be; QEMU started "
        f"{_started(trials)} times; {bad} wrong."
    )


def _is_planned(trial: Trial) -> bool:
    return not trial.case.refused and not trial.case.stops


def _kernels(trials: Sequence[Trial], kernels: Sequence[str]) -> str:
    rows = []
    for kernel in kernels:
        own = [trial for trial in trials if trial.kernel == kernel]
        done = [trial for trial in own if _is_planned(trial)]
        undone = [t for t in done if t.end and t.before.devices == t.end.devices]
        rows.append(
            [
                kernel,
                f"`{own[0].release}`",
                len(done),
                sum(trial.before.verdict != "ready" for trial in done),
                sum(trial.after.verdict == "ready" for trial in done),
                sum(_accepted(trial) for trial in done),
                len(undone),
                _started(own),
                sum(bool(trial.case.refused) for trial in own),
                sum(bool(trial.case.stops) for trial in own),
                sum(any(problems(trial)) for trial in own),
            ]
        )
    head = (
        *("kernel", "release", "plans", "not ready before", "audit ready after"),
        *("VFIO accepts after", "undo same", "QEMU started"),
        *("refused", "stopped", "wrong"),
    )
    return table(head, rows)


def _accepted(trial: Trial) -> bool:
    answers = trial.after.kernel
    return bool(answers) and set(answers.values()) <= {"viable", "0"}


def _started(trials: Iterable[Trial]) -> int:
    return sum(trial.qemu is not None and trial.qemu.status == 0 for trial in trials)


def _wrong(trials: Iterable[Trial]) -> Iterator[str]:
    yield "## Wrong\n"
    rows = [
        [trial.kernel, trial.case.machine, trial.case.asked, _cell(text)]
        for trial in trials
        for text in problems(trial)
    ]
    if not rows:
        yield "None.\n"
        return
    yield table(("kernel", "machine", "targets", "what"), rows)


def _cases(trials: Sequence[Trial], kernels: Sequence[str]) -> str:
    rows = list[list[object]]()
    for own in _by_case(trials):
        before = sorted({_before(trial) for trial in own})
        rows.append(
            [
                f"`{own[0].case.machine}`",
                own[0].case.asked,
                "; ".join(before),
                *(_outcome(own, kernel) for kernel in kernels),
                ", ".join(trial.kernel for trial in own if _started([trial])) or "-",
            ]
        )
    return table(("machine", "targets", "before", *kernels, "QEMU started"), rows)


def _by_case(trials: Iterable[Trial]) -> list[list[Trial]]:
    found: dict[str, list[Trial]] = {}
    for trial in trials:
        found.setdefault(trial.case.name, []).append(trial)
    return list(found.values())


def _before(trial: Trial) -> str:
    answers = sorted(set(trial.before.kernel.values()) - {"viable", "0"})
    return f"{trial.before.verdict}: {', '.join(answers) or 'no group'}"


def _outcome(trials: Iterable[Trial], kernel: str) -> str:
    for trial in trials:
        if trial.kernel == kernel:
            return "wrong" if any(problems(trial)) else "ready, undo same"
    return "-"


def _refusals(trials: Sequence[Trial], kernels: Sequence[str]) -> str:
    rows = list[list[object]]()
    for own in _by_case(trials):
        rules = {t.kernel: ", ".join(t.rules) or "a plan" for t in own}
        rows.append(_row(own, [rules.get(kernel, "-") for kernel in kernels]))
    return table(("machine", "targets", *kernels), rows)


def _checks(trials: Sequence[Trial], kernels: Sequence[str]) -> str:
    rows = list[list[object]]()
    for own in _by_case(trials):
        lines = dict.fromkeys(f"`{c.line}`" for t in own for c in t.checks)
        said = {t.kernel: "wrong" if any(problems(t)) else "as it must" for t in own}
        cells = [said.get(kernel, "-") for kernel in kernels]
        rows.append([*_row(own, [_cell("; ".join(lines))]), *cells])
    return table(("machine", "targets", "checks", *kernels), rows)


def _stops(trials: Sequence[Trial], kernels: Sequence[str]) -> str:
    rows = list[list[object]]()
    for own in _by_case(trials):
        said = {t.kernel: _cell(" ".join(t.done.lines)) for t in own}
        rows.append(_row(own, [said.get(kernel, "-") for kernel in kernels]))
    return table(("machine", "targets", *kernels), rows)


def _row(own: Sequence[Trial], cells: Iterable[object]) -> list[object]:
    return [f"`{own[0].case.machine}`", own[0].case.asked, *cells]


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
