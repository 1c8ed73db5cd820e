"""Makes ``docs/plans-lab.md``: the plans that were carried out, and how it went."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from lab.plan_trial import Trial, problems
from lab.report import rank, table

__all__ = ["render_plans"]

_HEAD = """\
# Plans that were carried out

The lab (`lab/`) boots a kernel on an emulated machine, captures its state, and has the
tool make a plan of the capture. The script that `plan --format shell` prints is run in
the guest as it is, the state is looked at, `undo` is run, and the state is looked at
again. For some, the guest's own QEMU starts with what `plan --format qemu` prints.
"""
_ABOUT = """\
*before*: what `audit` says and what the kernel answers to VFIO's calls (open and
`GET_STATUS`, `SET_CONTAINER`, `SET_IOMMU`); both have to agree. *after* is the same
after the script. *undo same*: the drivers and overrides of all devices are those of
before. Where a plan must be refused, the script has to fail and change nothing.
"""


def render_plans(trials: Sequence[Trial], command: str) -> str:
    """Return the page; it depends on the trials and the command only."""
    ordered = sorted(trials, key=lambda t: (rank(t.kernel), t.case.machine))
    kernels = list(dict.fromkeys(trial.kernel for trial in ordered))
    planned = [trial for trial in ordered if not trial.case.refused]
    refused = [trial for trial in ordered if trial.case.refused]
    parts = [
        _HEAD,
        f"Made by `{command}`. What was seen stays in the lab's cache.\n",
        _summary(planned, refused, kernels),
        _kernels(ordered, kernels),
        _ABOUT,
        *_wrong(ordered),
        "## Carried out\n",
        _cases(planned, kernels),
        "## Refused, as they must be\n",
        _refusals(refused, kernels),
    ]
    return "\n".join(parts)


def _combinations(trials: Iterable[Trial]) -> int:
    return len({trial.case.name + trial.case.accept for trial in trials})


def _summary(
    planned: Sequence[Trial], refused: Sequence[Trial], kernels: Sequence[str]
) -> str:
    bad = sum(any(problems(trial)) for trial in (*planned, *refused))
    return (
        f"**{_combinations(planned)} combinations of machine and targets on "
        f"{len(kernels)} kernels: {len(planned)} plans carried out; "
        f"{len(refused)} refused that had to be; {bad} wrong.**\n"
    )


def _kernels(trials: Sequence[Trial], kernels: Sequence[str]) -> str:
    rows = []
    for kernel in kernels:
        own = [trial for trial in trials if trial.kernel == kernel]
        done = [trial for trial in own if not trial.case.refused]
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
                len(own) - len(done),
                sum(any(problems(trial)) for trial in own),
            ]
        )
    head = (
        *("kernel", "release", "plans", "not ready before", "audit ready after"),
        *("VFIO accepts after", "undo same", "QEMU started"),
        *("refused", "wrong"),
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
        [trial.kernel, trial.case.machine, " ".join(trial.case.targets), _cell(text)]
        for trial in trials
        for text in problems(trial)
    ]
    if not rows:
        yield "None.\n"
        return
    yield table(("kernel", "machine", "targets", "what"), rows)


def _cases(trials: Sequence[Trial], kernels: Sequence[str]) -> str:
    rows = list[list[object]]()
    for name in dict.fromkeys(trial.case.name + trial.case.accept for trial in trials):
        own = [t for t in trials if t.case.name + t.case.accept == name]
        case = own[0].case
        before = sorted({_before(trial) for trial in own})
        more = f" (`--accept {case.accept}`)" if case.accept else ""
        rows.append(
            [
                f"`{case.machine}`",
                f"{' '.join(case.targets)}{more}",
                "; ".join(before),
                *(_outcome(own, kernel) for kernel in kernels),
                ", ".join(trial.kernel for trial in own if _started([trial])) or "-",
            ]
        )
    return table(("machine", "targets", "before", *kernels, "QEMU started"), rows)


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
    for name in dict.fromkeys(trial.case.name for trial in trials):
        own = {trial.kernel: trial for trial in trials if trial.case.name == name}
        case = next(iter(own.values())).case
        said = (own[k].rules if k in own else ("-",) for k in kernels)
        cells = (", ".join(rules) or "a plan" for rules in said)
        rows.append([f"`{case.machine}`", " ".join(case.targets), *cells])
    return table(("machine", "targets", *kernels), rows)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
