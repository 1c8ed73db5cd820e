"""Which machines are booted with which kernels, and what is kept of it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from lab.cache import cache_root
from lab.errors import LabError
from lab.kernels.known import KERNELS, Kernel, find_kernel
from lab.machines import MACHINES, Machine, find_machine
from lab.random_machines import random_machine
from lab.random_steps import growing_steps, random_steps

__all__ = [
    "QUICK_KERNELS",
    "QUICK_MACHINES",
    "QUICK_SEEDS",
    "RANDOM_STEPS",
    "Pair",
    "declared",
    "evidence_root",
    "find_kernels",
    "plans_root",
    "random_pairs",
    "random_walk",
]

Pair = tuple[Machine, Kernel, int | None]

# What CI boots: one kernel of each set of rules, and machines that differ most.
QUICK_KERNELS = ("5.10", "6.12")
QUICK_MACHINES = (
    *("reference", "two-functions", "sriov-no-acs", "empty-slot"),
    *("claim-ends", "probes"),
)
# Cards come and go, modules too, groups are claimed and let go, drivers told of ids.
QUICK_SEEDS = (12, 46)
RANDOM_STEPS = 12


def evidence_root() -> Path:
    """Where runs keep what guests showed and answered."""
    return cache_root() / "evidence"


def plans_root() -> Path:
    """Where the plans that were carried out are kept."""
    return evidence_root() / "plans"


def find_kernels(text: str) -> list[Kernel]:
    """Return the kernels of a list such as ``5.10,6.12``; ``all`` is all of them."""
    names = list(KERNELS) if text == "all" else text.split(",")
    return [find_kernel(name) for name in dict.fromkeys(names)]


def declared(machines: str, kernels: Iterable[Kernel]) -> list[Pair]:
    """Return each named machine with each kernel that it runs.

    Raises:
        LabError: there is no such machine, or none of the kernels runs it.
    """
    names = list(MACHINES) if machines == "all" else machines.split(",")
    found: list[Pair] = []
    kernels = list(kernels)
    for machine in (find_machine(name) for name in dict.fromkeys(names)):
        fitting = [kernel for kernel in kernels if _runs(machine, kernel)]
        if not fitting and machines != "all":
            wanted = ", ".join(kernel.name for kernel in kernels)
            raise LabError(f"{machine.name} runs with none of: {wanted}")
        found += [(machine, kernel, None) for kernel in fitting]
    order = {kernel.name: number for number, kernel in enumerate(kernels)}
    return sorted(found, key=lambda pair: order[pair[1].name])


def _runs(machine: Machine, kernel: Kernel) -> bool:
    if machine.architecture != kernel.architecture:
        return False
    return kernel.number >= machine.since


def random_walk(seed: int, steps: int = RANDOM_STEPS) -> Machine:
    """Return the machine of a seed, each of its random steps a state of its own.

    In the last state a card is below every port that takes one.
    """
    machine = random_machine(seed)
    taken = random_steps(machine, seed, steps)
    last = growing_steps(machine, taken)
    states = ((), *((step,) for step in taken), *((last,) if last else ()))
    return replace(machine, states=states)


def random_pairs(
    seeds: Sequence[int], kernels: Iterable[Kernel], steps: int = RANDOM_STEPS
) -> list[Pair]:
    """Return the machine of each seed with each kernel.

    Raises:
        LabError: a kernel is of an architecture that no random machine has.
    """
    kernels = list(kernels)
    found: list[Pair] = []
    for seed in seeds:
        machine = random_walk(seed, steps)
        for kernel in kernels:
            if not _runs(machine, kernel):
                raise LabError(f"random machines do not run with {kernel.name}")
            found.append((machine, kernel, seed))
    return found
