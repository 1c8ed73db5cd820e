"""Carries plans out in guests: the printed script, unchanged, and its undo.

The tool runs here, on a capture of the guest; what it prints runs there.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path
from lab.cache import REPOSITORY
from lab.errors import LabError
from lab.guest import Answer, Guest, GuestError, boot
from lab.host import mount_host, shell, with_host
from lab.kernels import Image
from lab.machines import Machine
from lab.plan_cases import PlanCase
from lab.plan_trial import Moment, Ran, Trial, problems, save_trials
from lab.truth import vfio_answers

__all__ = ["PlanJob", "run_plans"]

# What the script itself has to load.
_LEFT_OUT = frozenset({"vfio-pci", "vfio_iommu_type1"})
# Lets busybox's modprobe find the guest's modules. /lab/depends names what comes
# first in the order of loading, modules.dep the other way round.
_MODULES = """\
directory=/lib/modules/$(uname -r)
mkdir -p "$directory"
ln -s /lab/ko "$directory/ko"
awk -F '[: ]+' '{
    printf "ko/%s.ko:", $1
    for (i = NF; i > 1; i--) if ($i != "") printf " ko/%s.ko", $i
    print ""
}' /lab/depends > "$directory/modules.dep"
"""
_PREPARE = "/tmp/modules.sh"
_SCRIPT = "/tmp/plan.sh"
_RUN_QEMU = "/tmp/qemu.sh"
# The printed arguments, unchanged, end the command. QEMU opens the devices before the
# first instruction of its guest, and -S runs none.
_QEMU = """\
#!/bin/sh
printf 'info qtree\\nquit\\n' | env -i PATH=/usr/bin:/bin chroot /host \\
    > /tmp/qemu-out 2> /tmp/qemu-err \\
    /usr/bin/qemu-system-x86_64 -machine q35 -accel tcg -m 64 -nodefaults \\
    -display none -S -monitor stdio \\
"""
_AFTER_QEMU = """\
status=$?
grep -a -e 'dev: vfio-pci' -e 'host = ' /tmp/qemu-out
exit $status
"""
_QEMU_SECONDS = 420.0
_QEMU_MEMORY = ("-m", "1280")
_PIECE = 700
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
    with boot(machine, job.image) as guest:
        _send(guest, _PREPARE, _MODULES)
        shell(guest, f"sh {_PREPARE}")
        if qemu:
            mount_host(guest)
        for case in job.cases:
            started = time.monotonic()
            trial = _try(guest, job, case)
            trials.append(trial)
            wrong = list(problems(trial))
            told = "refused" if trial.case.refused else "done and undone"
            if trial.qemu is not None:
                told += ", QEMU started"
            took = time.monotonic() - started
            outcome = "; ".join(wrong) or told
            say(f"{job.image.kernel.name} {case.name}: {outcome}  {took:3.0f} s")
    return trials


def _try(guest: Guest, job: PlanJob, case: PlanCase) -> Trial:
    for command in case.setup:
        guest.do(command)
    names = [guest.resolve(target) for target in case.targets]
    capture = guest.capture()
    before = _moment(guest, names, capture)
    accept = ("--accept", case.accept) if case.accept else ()
    status, script = _tool(capture, "plan", *names, *accept, "--format", "shell")
    rules = _rules(capture, names, accept) if status else ()
    _send(guest, _SCRIPT, script)
    done = _ran(guest.command(f"shell sh {_SCRIPT} 2>&1"))
    guest.command("settle")
    trial = Trial(
        case,
        job.image.kernel.name,
        job.image.release,
        before,
        status,
        rules,
        script,
        done,
        _moment(guest, names),
    )
    if status:
        return trial
    if job.qemu and case.qemu:
        trial = _start_qemu(guest, trial, capture, names)
    undone = _ran(guest.command(f"shell sh {_SCRIPT} undo 2>&1"))
    guest.command("settle")
    return replace(trial, undone=undone, end=_moment(guest, names))


def _start_qemu(
    guest: Guest, trial: Trial, capture: bytes, names: Sequence[str]
) -> Trial:
    _, arguments = _tool(capture, "plan", *names, "--format", "qemu")
    _send(guest, _RUN_QEMU, _QEMU + arguments + _AFTER_QEMU)
    answer = guest.command(f"shell sh {_RUN_QEMU}", _QEMU_SECONDS)
    errors = guest.command("show /tmp/qemu-err").lines
    return replace(trial, arguments=arguments, qemu=_ran(answer), qemu_errors=errors)


def _moment(guest: Guest, names: Sequence[str], capture: bytes | None = None) -> Moment:
    """Look at the guest: its captured state, the audit of it, the kernel's answers."""
    capture = capture or guest.capture()
    machine = read_machine(open_path("-", io.BytesIO(capture)))
    _, text = _tool(capture, "audit", *names, "--format", "json")
    document = json.loads(text)
    tool, kernel = dict[str, str](), dict[str, str]()
    for target in document["targets"]:
        for answer in target["answers"]:
            if answer["operation"].startswith("VFIO_"):
                tool[f"{answer['operation']} {target['group']}"] = answer["result"]
    for group in sorted({t["group"] for t in document["targets"]} - {None}):
        facts = guest.command(f"ask group {group}").facts()
        answers = vfio_answers(facts)
        kernel.update((f"{key[0]} {key[1]}", said) for key, said in answers.items())
    devices = {
        device.address: (str(device.driver or ""), str(device.driver_override or ""))
        for device in machine.devices
    }
    unsafe = machine.vfio.type1_allow_unsafe_interrupts is True
    return Moment(document["verdict"], tool, kernel, devices, unsafe)


def _rules(
    capture: bytes, names: Sequence[str], accept: Sequence[str]
) -> tuple[str, ...]:
    _, text = _tool(capture, "plan", *names, *accept, "--format", "json")
    return tuple(refusal["rule"] for refusal in json.loads(text)["refusals"])


def _tool(capture: bytes, *words: str) -> tuple[int, str]:
    """Run the tool here on a capture; return its exit status and what it printed."""
    with tempfile.NamedTemporaryFile(suffix=".tar.gz") as file:
        file.write(capture)
        file.flush()
        ended = subprocess.run(
            [sys.executable, "-m", "iommu_inspect", *words, "--from", file.name],
            cwd=REPOSITORY,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
    if not ended.stdout:
        raise LabError(f"iommu-inspect {' '.join(words)}: {ended.stderr.strip()}")
    return ended.returncode, ended.stdout


def _send(guest: Guest, path: str, text: str) -> None:
    """Write a file in the guest, byte for byte."""
    packed = base64.b64encode(gzip.compress(text.encode(), 9)).decode()
    shell(guest, f": > {path}.packed")
    for piece in _pieces(packed):
        shell(guest, f"echo {piece} >> {path}.packed")
    shell(guest, f"base64 -d {path}.packed | gzip -dc > {path}")
    sums = guest.command(f"shell wc -c < {path}").lines
    if sums != (str(len(text.encode())),):
        raise LabError(f"{path} did not arrive whole in the guest: {sums}")


def _pieces(text: str) -> Iterable[str]:
    return (text[at : at + _PIECE] for at in range(0, len(text), _PIECE))


def _ran(answer: Answer) -> Ran:
    return Ran(answer.status, answer.lines)
