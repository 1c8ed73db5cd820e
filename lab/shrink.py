"""Makes a failing machine small, and prints the command that repeats the failure.

The shrinker takes away steps, then devices with all that is below them, then tries
plainer parts in their place, for as long as ``fails`` still says yes.
"""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from lab.errors import LabError
from lab.machines import Iommu, Machine, parse_device
from lab.steps import Step, parse_step

__all__ = [
    "Shrunk",
    "add_arguments",
    "read_arguments",
    "repeat_command",
    "shrink",
    "without_device",
]

Steps = tuple[Step, ...]
_PLAIN = "e1000e"


@dataclass(frozen=True)
class Shrunk:
    """The smallest failing machine and steps that were found.

    ``tries`` counts the calls of the predicate, ``finished`` is false where their
    number ran out first.
    """

    machine: Machine
    steps: Steps
    tries: int
    finished: bool

    def command(self, kernel: str) -> str:
        """Return the command line that repeats the failure with ``kernel``."""
        return repeat_command(self.machine, self.steps, kernel)


def shrink(
    machine: Machine,
    steps: Sequence[Step],
    fails: Callable[[Machine, Steps], bool],
    tries: int = 60,
) -> Shrunk:
    """Return the smallest machine and steps that ``fails`` still holds for.

    ``fails`` is asked at most ``tries`` times; each time may be a boot.  It is not
    asked about the machine itself, which is taken to fail.
    """
    best, kept, used = machine, tuple(steps), 0
    improved = True
    while improved:
        improved = False
        for smaller, fewer in _smaller(best, kept):
            if used == tries:
                return Shrunk(best, kept, used, finished=False)
            used += 1
            if fails(smaller, fewer):
                best, kept, improved = smaller, fewer, True
                break
    return Shrunk(best, kept, used, finished=True)


def _smaller(machine: Machine, steps: Steps) -> Iterator[tuple[Machine, Steps]]:
    """Yield what is one cut smaller, the largest cuts first."""
    half = len(steps) // 2
    if half > 1:
        yield machine, steps[:half]
        yield machine, steps[half:]
    for index in reversed(range(len(steps))):
        yield machine, steps[:index] + steps[index + 1 :]
    for name in sorted(_names(machine), key=lambda name: -_weight(machine, name)):
        less = without_device(machine, name)
        kept = {device.name for device in (*less.devices, *less.spare)}
        yield less, tuple(step for step in steps if step.card in {"", *kept})
    for plainer in _plainer(machine, {step.card for step in steps}):
        yield plainer, steps


def _names(machine: Machine) -> list[str]:
    return [device.name for device in (*machine.devices, *machine.spare)]


def without_device(machine: Machine, name: str) -> Machine:
    """Return ``machine`` without a device and all that needs it.

    That is what is below it, the drives of its NVMe subsystem, and the other
    functions of its slot if it is function 0, without which no one finds them.
    """
    gone = _dependants(machine, name)
    devices = [device for device in machine.devices if device.name not in gone]
    used = {device.option("subsys") for device in devices}
    return replace(
        machine,
        devices=tuple(
            device
            for device in devices
            if device.model != "nvme-subsys" or device.name in used
        ),
        spare=tuple(device for device in machine.spare if device.name not in gone),
        states=((),),
    )


def _dependants(machine: Machine, name: str) -> set[str]:
    gone, pending = set[str](), [name]
    while pending:
        current = machine.device(pending.pop())
        if current.name in gone:
            continue
        gone.add(current.name)
        slot, _, function = (current.slot or "").partition(".")
        for other in (*machine.devices, *machine.spare):
            below = other.bus == current.name or other.option("subsys") == current.name
            shares = other.bus == current.bus and other.slot is not None
            beside = shares and bool(slot) and function in ("", "0")
            if below or (beside and str(other.slot).partition(".")[0] == slot):
                pending.append(other.name)
    return gone


def _weight(machine: Machine, name: str) -> int:
    return len(_dependants(machine, name))


def _plainer(machine: Machine, used: set[str]) -> Iterator[Machine]:
    """Yield the machine with one part replaced by a plainer one."""
    if machine.iommu is not Iommu.INTEL and machine.architecture == "amd64":
        yield replace(machine, iommu=Iommu.INTEL)
    if machine.kernel_arguments:
        yield replace(machine, kernel_arguments="")
    for device in machine.devices:
        if device.is_endpoint and device.model != _PLAIN:
            if device.option("sriov_max_vfs") and device.name in used:
                continue
            kept = "multifunction=on" if device.option("multifunction") else ""
            plain = replace(device, model=_PLAIN, options=kept)
        elif device.option("disable-acs"):
            options = device.options.split(",")
            options.remove("disable-acs=on")
            plain = replace(device, options=",".join(options))
        else:
            continue
        changed = tuple(plain if d is device else d for d in machine.devices)
        subsystems = {d.option("subsys") for d in changed}
        yield replace(
            machine,
            devices=tuple(
                d for d in changed if d.model != "nvme-subsys" or d.name in subsystems
            ),
        )


def repeat_command(machine: Machine, steps: Sequence[Step], kernel: str) -> str:
    """Return the command line that boots ``machine`` and takes ``steps``."""
    words = ["python", "-m", "lab", "repeat", kernel, "--iommu", machine.iommu.name]
    if machine.kernel_arguments:
        words.append(f"--kernel-arguments={machine.kernel_arguments}")
    for device in machine.devices:
        words += ["--device", device.argument()]
    for device in machine.spare:
        words += ["--spare", device.argument()]
    for step in steps:
        words += ["--step", str(step)]
    return shlex.join(words)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Give ``parser`` the arguments that ``repeat_command`` writes."""
    parser.add_argument("kernel")
    names = [iommu.name for iommu in Iommu]
    parser.add_argument("--iommu", choices=names, default=Iommu.INTEL.name)
    parser.add_argument("--kernel-arguments", default="")
    parser.add_argument("--device", action="append", default=[], metavar="ARGUMENT")
    parser.add_argument("--spare", action="append", default=[], metavar="ARGUMENT")
    parser.add_argument("--step", action="append", default=[], metavar="STEP")


def read_arguments(options: argparse.Namespace) -> tuple[Machine, Steps]:
    """Return the machine and the steps that the command line describes."""
    machine = Machine(
        "repeated",
        "described on the command line",
        tuple(parse_device(text) for text in options.device),
        Iommu[options.iommu],
        "arm64" if options.kernel.endswith("-arm64") else "amd64",
        options.kernel_arguments,
        spare=tuple(parse_device(text) for text in options.spare),
    )
    steps = tuple(parse_step(text) for text in options.step)
    for step in steps:
        if step.card and step.card not in _names(machine):
            raise LabError(f"--step {step}: there is no device '{step.card}'")
    return machine, steps
