"""Carries plans out in guests: one boot for the cases of one machine and kernel.

The tool runs here, on what the guest shows; what it prints runs there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from lab.errors import LabError
from lab.guest import GuestError, boot
from lab.host import mount_host, with_host
from lab.kernels.known import Image
from lab.machines import Machine
from lab.plan_case import PlanCase
from lab.plan_going import go_through, prepare_guest
from lab.plan_judge import problems
from lab.plan_trial import Trial, save_trials
from lab.userland import userland

__all__ = ["PlanJob", "run_plans"]

# What the script itself has to load.
_LEFT_OUT = frozenset({"vfio-pci", "vfio_iommu_type1"})
_QEMU_MEMORY = ("-m", "1280")
_TRIES = 3


@dataclass(frozen=True)
class PlanJob:
    """One boot, and the cases that are gone through in it, one after the other."""

    machine: Machine
    image: Image
    cases: tuple[PlanCase, ...]
    qemu: bool

    @property
    def name(self) -> str:
        """What the job is called in messages."""
        return f"{self.machine.name} {self.image.kernel.name}"


def run_plans(
    jobs: Sequence[PlanJob],
    root: Path,
    say: Callable[[str], None],
    at_once: int,
) -> tuple[list[Trial], int]:
    """Run the jobs, a few at a time, and keep what was seen below ``root``.

    Returns:
        Every trial, and how many boots gave none.
    """

    def one(job: PlanJob) -> list[Trial]:
        for left in reversed(range(_TRIES)):
            try:
                trials = _run(job, say)
                break
            except GuestError as error:
                if not left:
                    raise
                say(f"{job.name}: {error}; booting it again")
        save_trials(trials, root)
        return trials

    found: list[Trial] = []
    failed = 0
    with ThreadPoolExecutor(at_once) as pool:
        for job, future in [(job, pool.submit(one, job)) for job in jobs]:
            try:
                found += future.result()
            except LabError as error:
                failed += 1
                say(f"FAILED {job.name}: {error}")
    return found, failed


def _run(job: PlanJob, say: Callable[[str], None]) -> list[Trial]:
    machine = replace(job.machine, without=job.machine.without | _LEFT_OUT)
    qemu = job.qemu and any(case.qemu for case in job.cases)
    if qemu:
        arguments = (*machine.qemu_arguments, *_QEMU_MEMORY)
        machine = with_host(replace(machine, qemu_arguments=arguments))
    trials = []
    with boot(machine, job.image, say, userland(say)) as guest:
        prepare_guest(guest)
        if qemu:
            mount_host(guest)
        for case in job.cases:
            started = time.monotonic()
            trial = go_through(guest, job.image, case, qemu=job.qemu)
            trials.append(trial)
            took = time.monotonic() - started
            outcome = "; ".join(problems(trial)) or _told(trial)
            say(f"{job.image.kernel.name} {case.name}: {outcome}  {took:3.0f} s")
    return trials


def _told(trial: Trial) -> str:
    if trial.case.refused:
        return f"refused: {', '.join(trial.rules)}"
    if trial.case.stops:
        return "a check stops it"
    told = f"{len(trial.checks)} checks, " if trial.checks else ""
    told += "done and undone, twice"
    return f"{told}, QEMU started" if trial.qemu is not None else told
