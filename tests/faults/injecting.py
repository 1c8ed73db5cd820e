"""Faults at the places where they can be, and what is wrong with the answers then."""

from __future__ import annotations

import errno
import random
import traceback
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice

from faults.asking import answers
from faults.cases import FaultCase, opened
from faults.failing import FailingTree, Fault, operations
from faults.judging import wrong

from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.sysfs.machine import read_machine

__all__ = ["ERRNOS", "Injection", "every_fault", "pairs"]

ERRNOS = (errno.EIO, errno.EACCES, errno.ENODEV, errno.ESTALE)


@dataclass
class Injection:
    """One case with its answers when nothing fails; ``asked`` counts what was told."""

    case: FaultCase
    injected: int = 0
    machines: int = 0
    asked: int = 0
    _found: dict[str, tuple[str, ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Read the case once without a fault."""
        self._tree = opened(self.case)
        whole = FailingTree(self._tree)
        machine = _read(whole)
        self._before = answers(machine)
        self._found[repr(machine)] = ()
        self.operations = tuple(operations(whole.made))
        self.made = len(whole.made)

    def judge(self, *faults: Fault) -> tuple[str, ...]:
        """Return what is wrong with the answers when these faults happen.

        A machine that was judged before is not asked again: answers depend on nothing
        else.
        """
        self.injected += 1
        try:
            machine = _read(FailingTree(self._tree, *faults))
            key = repr(machine)
            if key not in self._found:
                self.machines += 1
                after = answers(machine)
                self.asked += len(after)
                self._found[key] = tuple(wrong(self._before, after))
        except Exception:
            return (f"it crashed: {traceback.format_exc()}",)
        return self._found[key]

    def faults(self, every: int = 1, part: int = 0) -> Iterator[Fault]:
        """Yield every operation with every way to fail, for good and for once.

        With ``every`` only each so-manieth of these, from number ``part`` on. An odd
        number meets all errnos; all parts together are all faults.
        """
        yield from islice(self._faults(), part, None, every)

    def _faults(self) -> Iterator[Fault]:
        for operation in self.operations:
            for number in ERRNOS:
                yield Fault(operation, number)
            if operation[0] == "content":
                yield Fault(operation, "short")
        for position in range(self.made):
            yield Fault(position, errno.EIO)


def _read(tree: FailingTree) -> Machine:
    return read_machine(tree, processes=True)


def every_fault(
    case: FaultCase, every: int = 1, part: int = 0
) -> tuple[Injection, tuple[tuple[str, str], ...]]:
    """Inject all faults of a case; return the counts, and each fault with a wrong.

    With ``every`` only each so-manieth, from number ``part`` on.
    """
    injection = Injection(case)
    return injection, tuple(
        (str(fault), each)
        for fault in injection.faults(every, part)
        for each in injection.judge(fault)
    )


def pairs(case: FaultCase, dice: random.Random, count: int) -> Iterable[str]:
    """Inject pairs of faults at random places; yield what is wrong."""
    injection = Injection(case)
    places = injection.operations
    for _ in range(count):
        faults = [Fault(dice.choice(places), dice.choice(ERRNOS)) for _ in range(2)]
        for each in injection.judge(*faults):
            yield f"{case}: {faults[0]} and {faults[1]}: {each}"
