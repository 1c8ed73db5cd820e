"""``python -m lab``: boot real kernels, ask them, and hold the tool against them."""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import chain
from pathlib import Path

from lab import churn_command, shrink, watch_command
from lab.branches import Ledger
from lab.campaign import (
    QUICK_KERNELS,
    QUICK_MACHINES,
    QUICK_SEEDS,
    RANDOM_STEPS,
    Pair,
    declared,
    evidence_root,
    find_kernels,
    plans_root,
    random_pairs,
)
from lab.errors import LabError, Unavailable
from lab.evidence import Evidence, load_all
from lab.fixtures import FIXTURES, write_fixtures
from lab.guest import GuestError, boot
from lab.judge import compared, judge, recorded
from lab.kernels.known import KERNELS, OWN_KERNELS, find_kernel
from lab.live import run_live
from lab.machines import MACHINES, find_machine
from lab.needs import images, is_ci, programs_for
from lab.plan_cases import CASES, PLAN_KERNELS, QEMU_KERNELS, QUICK_CASE
from lab.plan_judge import problems
from lab.plan_report import render_plans, summary
from lab.plan_trial import load_trials
from lab.plans import PlanJob, run_plans
from lab.report import TITLE, Boot, boot_of, render
from lab.run import Job, run_all
from lab.texts import CANNOT_CARRY, run_texts

_ALL = ",".join(KERNELS)
_AMD64 = ",".join(name for name, k in KERNELS.items() if k.architecture == "amd64")


def say(text: str) -> None:
    """Print a line of progress."""
    print(f"lab: {text}", file=sys.stderr, flush=True)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except Unavailable as error:
        if getattr(options, "skip", False) and not is_ci():
            say(f"skipped: {error}")
            return 0
        say(str(error))
    except GuestError as error:
        print(error.log[-4000:], file=sys.stderr)
        say(str(error))
    except LabError as error:
        say(str(error))
    except OSError as error:
        say(f"{error.strerror or error}: {error.filename or 'the lab stopped'}")
    return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m lab", description=__doc__)
    commands = parser.add_subparsers(required=True)
    part = commands.add_parser("fetch", help="download kernels, build the guests")
    part.add_argument("kernel", nargs="*", default=list(KERNELS))
    part.set_defaults(run=_fetch)
    part = commands.add_parser("list", help="name the machines and kernels")
    part.set_defaults(run=_list)
    part = commands.add_parser("boot", help="boot once, print the kernel's answers")
    part.add_argument("machine")
    part.add_argument("kernel")
    part.add_argument("--give", action="append", default=[], metavar="DEVICE=DRIVER")
    part.add_argument("--do", action="append", default=[], metavar="COMMAND")
    part.add_argument("--plug", action="append", default=[], metavar="NAME")
    part.add_argument("--capture", type=Path, metavar="FILE")
    part.set_defaults(run=_boot)

    part = commands.add_parser("run", help="boot machines, compare every answer")
    part.add_argument("--machines", default="all", metavar="A,B|all")
    _run_options(part, _ALL)
    part.set_defaults(run=_run)
    part = commands.add_parser("random", help="the same with random machines")
    part.add_argument("--seed", type=int, default=1, help="the first one")
    part.add_argument("--count", type=int, default=1, help="how many seeds")
    part.add_argument(
        "--steps", type=int, default=RANDOM_STEPS, help="steps for each machine"
    )
    _run_options(part, _AMD64)
    part.set_defaults(run=_random)
    part = commands.add_parser("quick", help="what CI runs")
    _run_options(part, ",".join(QUICK_KERNELS))
    part.set_defaults(run=_quick)
    part = commands.add_parser("repeat", help="boot what a failure was shrunk to")
    shrink.add_arguments(part)
    part.set_defaults(run=_repeat)
    part = commands.add_parser("live", help="run the tool in the guest, compare")
    part.add_argument("--machines", default="reference", metavar="A,B|all")
    _run_options(part, _ALL)
    part.set_defaults(run=_live)

    part = commands.add_parser(
        "texts", help="compare a guest's pasted text with its capture"
    )
    part.add_argument("--machines", default="reference", metavar="A,B|all")
    part.add_argument("--keep", type=Path, metavar="DIR", help="keep texts, captures")
    _run_options(part, _AMD64)
    part.set_defaults(run=_texts)

    part = commands.add_parser("plans", help="carry plans out in the guest, undo them")
    part.add_argument("--only", default="all", metavar="MACHINE,...|all")
    part.add_argument(
        "--qemu",
        default=",".join(QEMU_KERNELS),
        metavar="A,B|none",
        help="kernels on which QEMU is started in the guest too",
    )
    part.add_argument(
        "--no-boot", action="store_true", help="only write the page of what is kept"
    )
    part.add_argument("--out", type=Path, default=Path("docs/plans-lab.md"))
    _run_options(part, ",".join(PLAN_KERNELS))
    part.set_defaults(run=_plans)

    part = commands.add_parser("churn", help="run the tool while devices come and go")
    churn_command.add_arguments(part, say)
    part = commands.add_parser("watch", help="run watch while devices come and go")
    watch_command.add_arguments(part, say)

    part = commands.add_parser("judge", help="compare again, without booting")
    part.add_argument("evidence", nargs="*", type=Path)
    part.set_defaults(run=_judge)
    part = commands.add_parser("report", help="write docs/conformance.md")
    part.add_argument("evidence", nargs="*", type=Path)
    part.add_argument("--out", type=Path, default=Path("docs/conformance.md"))
    part.add_argument(
        "--command",
        action="append",
        help="what made the evidence; may be given again (make lab)",
    )
    part.add_argument("--title", default=TITLE, help="the page's")
    part.add_argument("--skip", action="store_true", help="succeed without evidence")
    part.set_defaults(run=_report)
    part = commands.add_parser("fixtures", help="cut fixtures for the tests")
    part.add_argument("evidence", nargs="*", type=Path)
    part.add_argument("--into", type=Path, default=FIXTURES)
    part.set_defaults(run=_fixtures)
    return parser


def _run_options(part: argparse.ArgumentParser, kernels: str) -> None:
    part.add_argument("--kernels", default=kernels, metavar="A,B|all")
    part.add_argument("--jobs", type=int, default=2, help="guests at a time")
    part.add_argument("--evidence", type=Path, help="where to keep what was seen")
    part.add_argument(
        "--skip", action="store_true", help="succeed where QEMU or packages are missing"
    )


def _fetch(options: argparse.Namespace) -> int:
    for image in images(map(find_kernel, options.kernel), say).values():
        print(f"{image.kernel.name}: {image.release} ({image.version})")
    return 0


def _list(_: argparse.Namespace) -> int:
    for kernel in KERNELS.values():
        print(f"kernel {kernel.name:12} {kernel.suites[0]}")
    for kernel in OWN_KERNELS.values():
        print(
            f"kernel {kernel.name:12} built here from the source in {kernel.suites[0]}"
        )
    for machine in MACHINES.values():
        print(f"machine {machine.name:22} {machine.description}")
    return 0


def _boot(options: argparse.Namespace) -> int:
    machine = find_machine(options.machine)
    kernel = find_kernel(options.kernel)
    with boot(machine, images([kernel], say)[kernel.name], say) as guest:
        commands = [f"give {pair.replace('=', ' ')}" for pair in options.give]
        commands += ["groups", "chips", *options.do, "ask_all", "oracle_all"]
        for name in options.plug:
            guest.plug(name)
        for text in commands:
            answer = guest.do(text)
            print(f"> {text}")
            for line in answer.lines:
                print(line)
            if answer.status:
                print(f"! status {answer.status}")
        if options.capture:
            options.capture.write_bytes(guest.capture())
        print("> log")
        print(guest.log())
    return 0


def _run(options: argparse.Namespace) -> int:
    return _go(options, declared(options.machines, find_kernels(options.kernels)))


def _random(options: argparse.Namespace) -> int:
    seeds = range(options.seed, options.seed + options.count)
    kernels = find_kernels(options.kernels)
    return _go(options, random_pairs(seeds, kernels, options.steps))


def _quick(options: argparse.Namespace) -> int:
    kernels = find_kernels(options.kernels)
    pairs = declared(",".join(QUICK_MACHINES), kernels)
    pairs += random_pairs(QUICK_SEEDS, kernels, RANDOM_STEPS)
    status = _go(options, pairs)
    live = [_in_one_state(pair) for pair in declared(QUICK_MACHINES[0], kernels[-1:])]
    plan = declared(QUICK_CASE, kernels[-1:])
    root = (options.evidence or evidence_root()) / "plans-quick"
    tried = _carry_out(plan, root, (), options.jobs)
    return _compare_live(live) or tried or status


def _go(options: argparse.Namespace, pairs: Sequence[Pair]) -> int:
    """Boot and compare; the status is 1 after a wrong answer or a failed boot."""
    ready = images({k.name: k for _, k, _ in pairs}.values(), say)
    programs_for([machine for machine, _, _ in pairs], say)
    jobs = [Job(machine, ready[kernel.name], seed) for machine, kernel, seed in pairs]
    root = options.evidence or evidence_root()
    say(f"{len(jobs)} boots, {options.jobs} at a time; what they show is in {root}")
    records, failed = run_all(jobs, root, say, options.jobs)
    wrong = [record for record in records if record.outcome == "wrong"]
    unknown = sum(record.outcome == "unknown" for record in records)
    say(
        f"{len(records)} answers compared: {len(wrong)} wrong, {unknown} unknown; "
        f"{failed} of {len(jobs)} boots failed"
    )
    for job in jobs:
        mine = [r for r in wrong if r.machine == job.machine.name]
        if any(r.kernel == job.image.kernel.name for r in mine):
            say(f"again: {_command(job)}")
    return 1 if wrong or failed else 0


def _command(job: Job) -> str:
    kernel = job.image.kernel.name
    if job.seed is not None:
        return f"python -m lab random --seed {job.seed} --kernels {kernel}"
    return f"python -m lab run --machines {job.machine.name} --kernels {kernel}"


def _in_one_state(pair: Pair) -> Pair:
    """Return the pair with all moves made at once: each document takes seconds."""
    machine, kernel, seed = pair
    moves = tuple(chain.from_iterable(machine.states))
    return replace(machine, states=(moves,)), kernel, seed


def _repeat(options: argparse.Namespace) -> int:
    machine, steps = shrink.read_arguments(options)
    machine = replace(machine, states=((), *((step,) for step in steps)))
    options.jobs, options.evidence = 1, evidence_root().parent / "repeated"
    return _go(options, [(machine, find_kernel(options.kernel), None)])


def _live(options: argparse.Namespace) -> int:
    pairs = declared(options.machines, find_kernels(options.kernels))
    return _compare_live(pairs)


def _compare_live(pairs: Sequence[Pair]) -> int:
    ready = images({k.name: k for _, k, _ in pairs}.values(), say)
    compared = different = 0
    for machine, kernel, _ in pairs:
        for name, difference in run_live(machine, ready[kernel.name], say):
            compared += 1
            if difference is not None:
                different += 1
                say(f"DIFFERENT {name}: {difference}")
    say(f"{compared} documents made live: {different} differ from the captures'")
    return 1 if different else 0


def _texts(options: argparse.Namespace) -> int:
    pairs = declared(options.machines, find_kernels(options.kernels))
    ready = images({k.name: k for _, k, _ in pairs}.values(), say)
    compared = different = 0
    for machine, kernel, _ in pairs:
        image = ready[kernel.name]
        for name, difference in run_texts(machine, image, say, options.keep):
            compared += 1
            if difference is not None:
                different += 1
                say(f"DIFFERENT {name}: {difference}")
    say(f"{compared} things compared of text and capture: {different} differ")
    for what, left_out in CANNOT_CARRY.items():
        say(f"a text does not carry {what}: {left_out}")
    return 1 if different else 0


def _plans(options: argparse.Namespace) -> int:
    """Carry the plans out, and write the page of all that is kept of them."""
    root = options.evidence or plans_root()
    status = 0
    if not options.no_boot:
        qemu = [] if options.qemu == "none" else options.qemu.split(",")
        machines = _machines_of_plans(options.only)
        pairs = declared(machines, find_kernels(options.kernels))
        status = _carry_out(pairs, root, qemu, options.jobs)
    trials = load_trials(root)
    if not trials:
        raise Unavailable(f"no evidence in {root}")
    options.out.write_text(render_plans(trials, "python -m lab plans"))
    say(f"wrote {options.out}: {len(trials)} plans")
    say(summary(trials))
    return 1 if status or any(any(problems(trial)) for trial in trials) else 0


def _machines_of_plans(only: str) -> str:
    names = list(dict.fromkeys(case.machine for case in CASES))
    if only == "all":
        return ",".join(names)
    for name in only.split(","):
        if name not in names:
            raise LabError(f"no plan is made for '{name}'; known: {', '.join(names)}")
    return only


def _carry_out(
    pairs: Sequence[Pair], root: Path, qemu: Sequence[str], at_once: int
) -> int:
    ready = images({k.name: k for _, k, _ in pairs}.values(), say)
    programs_for([machine for machine, _, _ in pairs], say, plans=True)
    jobs = [
        PlanJob(
            machine,
            ready[kernel.name],
            tuple(
                case
                for case in CASES
                if case.machine == machine.name and case.holds_on(kernel.name)
            ),
            kernel.name in qemu,
        )
        for machine, kernel, _ in pairs
    ]
    say(f"{len(jobs)} boots, {at_once} at a time; what they show is in {root}")
    trials, failed = run_plans(jobs, root, say, at_once)
    wrong = sum(any(problems(trial)) for trial in trials)
    say(f"{len(trials)} plans: {wrong} wrong; {failed} of {len(jobs)} boots failed")
    return 1 if wrong or failed else 0


def _folders(options: argparse.Namespace) -> list[Path]:
    return options.evidence or [evidence_root()]


def _judge(options: argparse.Namespace) -> int:
    boots, outcomes = 0, Counter[str]()
    for folder in _folders(options):
        for evidence in load_all(folder):
            boots += 1
            for record in judge(evidence):
                if record.outcome != "right":
                    print(f"{record.outcome}: {record}")
                outcomes[record.outcome] += 1
    print(
        f"{boots} boots, {outcomes.total()} answers compared: "
        f"{outcomes['wrong']} wrong, {outcomes['unknown']} unknown"
    )
    return 1 if outcomes["wrong"] else 0


def _report(options: argparse.Namespace) -> int:
    found: dict[str, Evidence] = {}
    for folder in _folders(options):
        for evidence in load_all(folder):
            found.setdefault(evidence.name, evidence)  # a boot counts once
    boots: list[Boot] = []
    with Ledger() as ledger:
        for evidence in found.values():
            items = list(compared(evidence))
            boots.append(boot_of(evidence, recorded(evidence, items)))
            ledger.note(evidence.kernel, (item for _, item in items))
    if not boots:
        raise Unavailable(f"no evidence in {', '.join(map(str, _folders(options)))}")
    commands = options.command or ["make lab"]
    told = ledger.confirmed()
    page = render(boots, *commands, confirmed=told, title=options.title)
    options.out.write_text(page)
    say(f"wrote {options.out}: {len(boots)} boots")
    return 0


def _fixtures(options: argparse.Namespace) -> int:
    count = sum(
        write_fixtures(folder, options.into, say=say) for folder in _folders(options)
    )
    if not count:
        raise LabError("no evidence that a fixture could be cut from")
    return 0


if __name__ == "__main__":
    sys.exit(main())
