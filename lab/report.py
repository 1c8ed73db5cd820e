"""Makes ``docs/conformance.md``: what was asked, of which kernels, and how it went."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from lab.branches import Confirmed, reason
from lab.evidence import Evidence
from lab.judge import Record
from lab.kernels.known import KERNELS

__all__ = ["Boot", "boot_of", "rank", "render", "table"]

TITLE = "Conformance"
_HEAD = """\
Every answer of the tool beside that of a real kernel. The lab (`lab/`) boots kernels on
emulated machines, takes each machine through several states, asks the kernel in each,
and holds the tool's answers, made from captures of the same states, against it.
"""
_ABOUT = """\
*Right*: the same answer. *Wrong*: another one. *Unknown*: the tool said that it cannot
tell. A cell with one number counts right answers only; others are right / wrong /
unknown. *Not asked*: what takes a module in the kernel (`iommu_attach_device()`, the
claim) where Debian no longer has the headers to build one.
"""
_GROUPS = (
    (
        "Ownership operations",
        "Asked with the kernel's own calls: the VFIO ioctls from user space, "
        "`iommu_attach_device()` and `iommu_group_claim_dma_owner()` from a module.",
        re.compile(r"iommu_|VFIO_"),
    ),
    (
        "Groups and drivers",
        "What `list` shows against what the kernel shows; and the groups recomputed "
        "from topology and ACS (`why`) against those that the kernel made.",
        re.compile(r"list|recomputed"),
    ),
    (
        "Steps of whatif",
        "Each step was predicted first and then really taken; the kernel's answer to "
        "it, and the machine after it, against what `whatif` said.",
        re.compile(r"whatif"),
    ),
    (
        "Growth",
        "Devices were plugged in below ports, and virtual functions made: the group "
        "that each newcomer joined against the one that growth had said.",
        re.compile(r"growth"),
    ),
    (
        "Without root",
        "What is read as an ordinary user must give what is read as root.",
        re.compile(r".*"),
    ),
)
_ADDRESS = re.compile(r"\b[0-9a-f]{4,8}:[0-9a-f]{2}:[0-9a-f]{2}\.[0-7]\b")
_LARGEST_SHARE = 2
_OUTCOMES = ("right", "wrong", "unknown")


@dataclass(frozen=True)
class Boot:
    """One boot: what it was, and every answer that was compared.

    ``walked`` counts the states after the first, ``steps`` the commands that led
    there, by verb and the kernel's answer; ``not_asked`` what the lab's module would
    have been asked, had the kernel one.
    """

    machine: str
    description: str
    kernel: str
    release: str
    seed: int | None
    records: tuple[Record, ...]
    walked: int = 0
    steps: Mapping[tuple[str, str], int] = field(default_factory=dict)
    not_asked: int = 0


def boot_of(evidence: Evidence, records: Iterable[Record]) -> Boot:
    """Return what the report needs of one boot."""
    steps = Counter[tuple[str, str]]()
    for state in evidence.states:
        for taken in state.taken:
            if taken.steps:
                verb = taken.steps[-1].partition("=")[0]
                steps[verb, taken.answer or "no answer"] += 1
    return Boot(
        evidence.machine,
        evidence.description,
        evidence.kernel,
        evidence.release,
        evidence.seed,
        tuple(records),
        max(0, len(evidence.states) - 1),
        steps,
        sum(state.not_asked for state in evidence.states),
    )


def render(
    boots: Sequence[Boot],
    *commands: str,
    confirmed: Iterable[Confirmed] = (),
    title: str = TITLE,
) -> str:
    """Return the page; it depends on the arguments and the engine's source only.

    ``commands`` are those whose boots are told of.
    """
    ordered = sorted(boots, key=lambda b: (rank(b.kernel), b.seed or 0, b.machine))
    kernels = list(dict.fromkeys(boot.kernel for boot in ordered))
    records = [record for boot in ordered for record in boot.records]
    parts = [
        f"# {title}\n\n{_HEAD}",
        "The boots were these. Captures and answers stay in the lab's cache, and\n"
        "`python -m lab judge` compares them again without booting.\n",
        "".join(f"    {command}\n" for command in commands),
        _summary(records),
        _kernel_table(ordered, kernels),
        _ABOUT,
    ]
    left = sorted({record.operation for record in records})
    for title, about, pattern in _GROUPS:
        operations = [name for name in left if pattern.match(name)]
        left = [name for name in left if name not in operations]
        if operations:
            counts = _operation_table(records, operations, kernels)
            parts += [f"## {title}\n", f"{about}\n", counts]
            if title == "Growth":
                parts.append(_grown(ordered))
    parts += _wrong(records)
    parts += _unknown(records)
    parts += _branches(confirmed)
    parts += _steps(ordered)
    parts += _random(ordered)
    parts += _machines(ordered)
    return "\n".join(parts)


def rank(kernel: str) -> int:
    """Return the place of a kernel in the order of all pages."""
    names = list(KERNELS)
    return names.index(kernel) if kernel in names else len(names)


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(map(str, line))} |" for line in lines) + "\n"


def _kernel_table(boots: Sequence[Boot], kernels: Sequence[str]) -> str:
    rows = list[list[object]]()
    for kernel in kernels:
        own = [boot for boot in boots if boot.kernel == kernel]
        counts = _outcomes(record for boot in own for record in boot.records)
        releases = sorted({boot.release for boot in own})
        rows.append(
            [
                kernel,
                ", ".join(f"`{release}`" for release in releases),
                sum(boot.seed is None for boot in own),
                sum(boot.seed is not None for boot in own),
                sum(counts.values()),
                *(counts[name] for name in _OUTCOMES),
                sum(boot.not_asked for boot in own),
            ]
        )
    head = ("kernel", "release", "machines", "random machines", "compared")
    return table((*head, *_OUTCOMES, "not asked"), rows)


def _outcomes(records: Iterable[Record]) -> Counter[str]:
    return Counter(record.outcome for record in records)


def _summary(records: Sequence[Record]) -> str:
    counts = _outcomes(records)
    share = 100 * counts["unknown"] / max(1, len(records))
    return (
        f"**{len(records)} answers compared: {counts['right']} right, "
        f"{counts['wrong']} wrong, {counts['unknown']} unknown** ({share:.1f} %; "
        f"{_LARGEST_SHARE} % are allowed).\n"
    )


def _operation_table(
    records: Iterable[Record], operations: Sequence[str], kernels: Sequence[str]
) -> str:
    cells: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    for record in records:
        cells[record.operation, record.kernel][record.outcome] += 1
    rows = [
        [f"`{name}`", *(_cell(cells[name, kernel]) for kernel in kernels)]
        for name in operations
    ]
    return table(("", *kernels), rows)


def _grown(boots: Iterable[Boot]) -> str:
    """Say on how many machines devices came, by kernel."""
    machines: dict[str, set[tuple[str, int | None]]] = defaultdict(set)
    for boot in boots:
        if any(record.operation == "growth" for record in boot.records):
            machines[boot.kernel].add((boot.machine, boot.seed))
    counted = ", ".join(f"{len(found)} on {name}" for name, found in machines.items())
    return f"Machines on which one came: {counted}.\n"


def _cell(counts: Counter[str]) -> str:
    if not counts:
        return "-"
    if counts["right"] == sum(counts.values()):
        return str(counts["right"])
    return " / ".join(str(counts[name]) for name in _OUTCOMES)


def _wrong(records: Iterable[Record]) -> Iterator[str]:
    found = [record for record in records if record.outcome == "wrong"]
    yield "## Wrong answers\n"
    if not found:
        yield "None.\n"
        return
    yield table(
        ("kernel", "machine", "state", "operation", "target", "kernel says", "tool"),
        (
            [
                *(record.kernel, record.machine, record.state),
                *(f"`{record.operation}`", record.target, record.expected),
                f"{record.got}: {_text(record.because)}",
            ]
            for record in found
        ),
    )


def _unknown(records: Iterable[Record]) -> Iterator[str]:
    yield "## Unknown answers\n"
    counts = Counter[tuple[str, str]]()
    kernels: dict[tuple[str, str], set[str]] = defaultdict(set)
    expected: dict[tuple[str, str], set[str]] = defaultdict(set)
    for record in records:
        if record.outcome == "unknown":
            because = _text(record.because) or "an earlier step could not be told"
            key = record.operation, _ADDRESS.sub("DEVICE", because)
            counts[key] += 1
            kernels[key].add(record.kernel)
            expected[key].add(record.expected)
    if not counts:
        yield "None.\n"
        return
    yield table(
        ("operation", "count", "kernels", "why it cannot tell", "the kernel said"),
        (
            [
                *(f"`{key[0]}`", count, ", ".join(sorted(kernels[key], key=rank))),
                *(key[1], ", ".join(sorted(expected[key]))),
            ]
            for key, count in sorted(counts.items())
        ),
    )


def _text(because: str) -> str:
    return because.replace("|", "\\|").replace("\n", " ")


def _branches(confirmed: Iterable[Confirmed]) -> Iterator[str]:
    """Tell which of the engine's answers a kernel has given, and which none has."""
    functions: dict[tuple[str, str], list[Confirmed]] = defaultdict(list)
    for each in confirmed:
        functions[each.branch.file, each.branch.function].append(each)
    if not functions:
        return
    told = [each for found in functions.values() for each in found]
    count = sum(bool(each.kernels) for each in told)
    yield "## Branches that kernels confirmed\n"
    yield (
        f"{count} of {len(told)} places in `kernel/ownership` and `kernel/steps` that\n"
        "make an answer made one that a kernel gave, too. That a line was run does\n"
        'not count, and "unknown" is no answer. The rest is what we do not know.\n'
    )
    head = ("where", "confirmed, by how many kernels", "not confirmed")
    yield table(head, (_of_function(*name, found) for name, found in functions.items()))


def _of_function(file: str, function: str, found: Iterable[Confirmed]) -> list[str]:
    given, lacking = list[str](), dict[str, list[str]]()
    for each in found:
        result = f"`{each.branch.result}`"
        if each.kernels:
            given.append(f"{result} {len(each.kernels)}")
        else:
            lacking.setdefault(reason(each.branch), []).append(result)
    why = (f"{', '.join(results)}: {because}" for because, results in lacking.items())
    return [f"`{file}` `{function}()`", ", ".join(given), "; ".join(why)]


def _steps(boots: Iterable[Boot]) -> Iterator[str]:
    verbs: dict[str, Counter[str]] = defaultdict(Counter)
    for boot in boots:
        for (verb, answer), count in boot.steps.items():
            verbs[verb][answer] += count
    if not verbs:
        return
    total = sum(sum(answers.values()) for answers in verbs.values())
    yield "## Steps that were taken\n"
    yield f"{total} commands, with what the kernels answered to them:\n"
    yield table(
        ("step", "taken", "answers"),
        (
            [
                f"`{verb}`",
                sum(answers.values()),
                ", ".join(f"{name} ({n})" for name, n in sorted(answers.items())),
            ]
            for verb, answers in sorted(verbs.items())
        ),
    )


def _random(boots: Iterable[Boot]) -> Iterator[str]:
    seeds: dict[str, list[int]] = defaultdict(list)
    steps = Counter[str]()
    for boot in boots:
        if boot.seed is not None:
            seeds[boot.kernel].append(boot.seed)
            steps[boot.kernel] += boot.walked
    if not seeds:
        return
    yield "## Random machines\n"
    yield (
        "Each seed is one machine and one sequence of steps; "
        "`make lab-random SEED=7 N=1` repeats one.\n"
    )
    yield table(
        ("kernel", "machines", "steps", "seeds"),
        (
            [kernel, len(found), steps[kernel], _ranges(found)]
            for kernel, found in seeds.items()
        ),
    )


def _ranges(numbers: Iterable[int]) -> str:
    """Write 1, 2, 3 and 7 as ``1-3, 7``."""
    runs = list[list[int]]()
    for number in sorted(set(numbers)):
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    return ", ".join(
        f"{run[0]}-{run[-1]}" if len(run) > 1 else str(run[0]) for run in runs
    )


def _machines(boots: Iterable[Boot]) -> Iterator[str]:
    kernels: dict[str, list[str]] = defaultdict(list)
    about = dict[str, str]()
    for boot in boots:
        if boot.seed is None:
            kernels[boot.machine].append(boot.kernel)
            about[boot.machine] = boot.description
    if not kernels:
        return
    yield "## Machines\n"
    yield table(
        ("machine", "what it is", "kernels"),
        (
            [f"`{name}`", about[name], ", ".join(dict.fromkeys(kernels[name]))]
            for name in sorted(kernels)
        ),
    )
