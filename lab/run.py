"""Boots machines and walks through their states, writing down what they answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from iommu_inspect.kernel.answers import BLOCKS, HOST_CRASH
from lab.errors import LabError
from lab.evidence import Evidence, State, Taken, save
from lab.guest import Guest, GuestCrash, GuestError, boot
from lab.judge import Record, judge
from lab.kernels.known import Image
from lab.machines import Machine
from lab.steps import Command, Move, Step, Verb, commands, whatif
from lab.truth import answer_of, ask

__all__ = ["Job", "run_all", "run_machine"]

_TRIES = 3
_NODES_SINCE = (6, 6)


@dataclass(frozen=True)
class Job:
    """One boot: a machine, a kernel, and the seed that made the machine, if any."""

    machine: Machine
    image: Image
    seed: int | None = None

    @property
    def name(self) -> str:
        """What the job is called in messages."""
        return f"{self.machine.name} {self.image.kernel.name}"


def run_machine(job: Job) -> Evidence:
    """Boot a machine, take it through its states, ask at each.

    Raises:
        LabError: the guest hangs, or dies where no step was under way.
    """
    machine, image = job.machine, job.image
    evidence = Evidence(
        machine.name, machine.description, image.kernel.name, image.release, job.seed
    )
    with boot(machine, image) as guest:
        for number, moves in enumerate(machine.states):
            state = State()
            evidence.states.append(state)
            left_out = [move for move in moves if _cannot_be_made(move, image)]
            state.left_out = list(map(str, left_out))
            if not _take(guest, [m for m in moves if m not in left_out], state):
                break
            state.capture = guest.capture()
            if number == 1:
                state.user_capture = guest.capture(user=True)
            state.truth = ask(guest, module=image.has_headers)
        evidence.log = guest.log()
    return evidence


def _cannot_be_made(move: Move, image: Image) -> bool:
    """Say whether a kernel lacks what makes the move.

    That is the lab's module where there were no headers, and nodes of devices before
    they were thought of.
    """
    if not isinstance(move, Step):
        return False
    if move.verb in (Verb.ATTACH, Verb.DETACH):
        return not image.has_headers
    nodes = move.verb in (Verb.OPEN, Verb.CLOSE)
    return nodes and image.kernel.number < _NODES_SINCE


def _take(guest: Guest, moves: Iterable[Move], state: State) -> bool:
    """Make the moves that lead to a state; say whether the guest can be asked more.

    A step that blocks has locks which whatever is read next would wait for.
    """
    for move in moves:
        texts = commands(move)
        if isinstance(move, Command):
            guest.do(move.text)
            continue
        steps = whatif(move, guest.machine, guest.resolve, guest.is_bound)
        try:
            answers = [guest.do(text) for text in texts]
        except GuestCrash:
            state.taken.append(Taken(texts[-1], steps, HOST_CRASH))
            return False
        answer = answer_of(move, answers[-1])
        state.taken.append(Taken(texts[-1], steps, answer))
        if answer == BLOCKS:
            return False
    return True


def run_all(
    jobs: Sequence[Job],
    root: Path,
    say: Callable[[str], None],
    at_once: int = 2,
) -> tuple[list[Record], int]:
    """Run the jobs, a few at a time; keep the evidence below ``root``.

    A guest that hangs, or dies where no step explains it, is booted again: under
    emulation, and with 5.10 above all, one in some thirty does.

    Returns:
        Every compared answer, and how many jobs gave none.
    """

    def one(job: Job) -> list[Record]:
        started = time.monotonic()
        for left in reversed(range(_TRIES)):
            try:
                evidence = run_machine(job)
                break
            except GuestError as error:
                if not left:
                    raise
                log = _keep_log(root, job, left, error)
                say(f"{job.name}: {error}; its log is {log}; booting it again")
        save(evidence, root)
        records = judge(evidence)
        say(f"{_line(job, records)}  {time.monotonic() - started:3.0f} s")
        return records

    found: list[Record] = []
    failed = 0
    with ThreadPoolExecutor(at_once) as pool:
        running = [(job, pool.submit(one, job)) for job in jobs]
        for job, future in running:
            try:
                records = future.result()
            except (LabError, GuestError) as error:
                failed += 1
                say(f"FAILED {job.name}: {error}")
                continue
            found += records
            for record in records:
                if record.outcome == "wrong":
                    say(f"WRONG {record}")
    return found, failed


def _keep_log(root: Path, job: Job, left: int, error: GuestError) -> Path:
    """Write down the last words of a guest that is booted again."""
    path = root / f".lost-{job.image.kernel.name}-{job.machine.name}-{left}.txt"
    root.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{error}\n\n{error.log}")
    return path


def _line(job: Job, records: Sequence[Record]) -> str:
    right, wrong, unknown = (
        sum(record.outcome == outcome for record in records)
        for outcome in ("right", "wrong", "unknown")
    )
    return (
        f"{job.machine.name:22} {job.image.kernel.name:11} {right:4} right "
        f"{wrong:2} wrong {unknown:3} unknown"
    )
