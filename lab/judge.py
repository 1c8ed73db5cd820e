"""Judges evidence: every answer of the kernel beside that of the tool."""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace

from iommu_inspect.kernel.eras import applicable
from iommu_inspect.kernel.steps.simulate import Simulation, simulate
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.aftermath import Aftermath
from iommu_inspect.model.asked.target import UnknownTargetError
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group, Held
from iommu_inspect.model.machine import Machine
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path
from lab.compare import Comparison, compare_simulation, compare_state, compare_user
from lab.evidence import Evidence, State
from lab.growth import compare_growth

__all__ = ["Record", "compared", "judge", "recorded"]


@dataclass(frozen=True)
class _Hidden:
    """What steps have done that no file shows.

    That are the groups that are held, by their members, and the rest of it.
    """

    holding: Mapping[frozenset[str], Group]
    aftermath: Aftermath = field(default_factory=Aftermath)


_NOTHING = _Hidden({})


@dataclass(frozen=True)
class Record:
    """One compared answer, and where it was asked."""

    machine: str
    kernel: str
    release: str
    seed: int | None
    state: int
    operation: str
    target: str
    expected: str
    got: str
    because: str
    outcome: str

    def __str__(self) -> str:
        return (
            f"{self.machine} {self.kernel} state {self.state}: {self.operation} "
            f"{self.target}: the kernel says {self.expected}, the tool {self.got} "
            f"({self.because})"
        )

    def document(self) -> dict[str, object]:
        """Return the record for a line of JSON."""
        return asdict(self)


def judge(evidence: Evidence) -> list[Record]:
    """Compare everything in the evidence."""
    return recorded(evidence, compared(evidence))


def recorded(
    evidence: Evidence, items: Iterable[tuple[int, Comparison]]
) -> list[Record]:
    """Return what ``compared()`` yields as records."""
    return [_record(evidence, number, item) for number, item in items]


def compared(evidence: Evidence) -> Iterator[tuple[int, Comparison]]:
    """Yield each comparison, and the state in which it is made."""
    machine: Machine | None = None
    for number, state in enumerate(evidence.states):
        for item in _judge_state(machine, state):
            yield number, item
        machine = _read(state.capture, _hidden_after(machine, state))


def _record(evidence: Evidence, number: int, item: Comparison) -> Record:
    return Record(
        evidence.machine,
        evidence.kernel,
        evidence.release,
        evidence.seed,
        number,
        item.operation,
        item.target,
        item.expected,
        item.got,
        item.because,
        item.outcome,
    )


def _judge_state(before: Machine | None, state: State) -> Iterator[Comparison]:
    if before is not None:
        try:
            yield from _steps(before, state)
        except UnknownTargetError as error:
            # What a step names is not there: an earlier step led somewhere else.
            steps = " ".join(step for taken in state.taken for step in taken.steps)
            yield Comparison("whatif steps", steps, "there", "not there", str(error))
            return
    machine = _read(state.capture, _hidden_after(before, state))
    if machine is None or state.truth is None:
        return
    yield from compare_state(machine, state.truth)
    if before is not None and state.taken:
        simulation = _simulation(before, state)
        semantics = applicable(before.kernel)
        yield from compare_simulation(simulation, semantics, state.truth)
    if before is not None:
        yield from compare_growth(before, machine)
    user = _read(state.user_capture, _hidden_after(before, state))
    if user is not None:
        yield from compare_user(machine, user)


def _steps(before: Machine, state: State) -> Iterator[Comparison]:
    """A command of several steps has one answer: that of the last one."""
    outcomes = list(_simulation(before, state).outcomes)
    for taken in state.taken:
        own, outcomes = outcomes[: len(taken.steps)], outcomes[len(taken.steps) :]
        if taken.answer is None or not own:
            continue
        verb = taken.command.partition(" ")[0]
        answer = own[-1].answer
        yield Comparison(
            f"whatif {verb}",
            taken.command,
            taken.answer,
            answer.result,
            answer.because,
            answer,
        )


def _simulation(before: Machine, state: State) -> Simulation:
    steps = [parse_step(step) for taken in state.taken for step in taken.steps]
    return simulate(before, applicable(before.kernel), steps)


def _hidden_after(before: Machine | None, state: State) -> _Hidden:
    if before is None:
        return _NOTHING
    try:
        after = _simulation(before, state).after
    except UnknownTargetError:
        return _NOTHING
    holding = {
        _members(group.devices): group
        for group in after.groups
        if group.held is not Held.FREE
    }
    return _Hidden(holding, after.aftermath)


def _read(capture: bytes | None, hidden: _Hidden) -> Machine | None:
    if capture is None:
        return None
    tree = open_path("-", io.BytesIO(capture))
    # The guest packed all that the tool looks for: what is not there was not there.
    tree.whole = True
    machine = read_machine(tree)
    groups = tuple(
        replace(group, held=like.held, nodes=like.nodes)
        if (like := hidden.holding.get(_members(group.devices)))
        else group
        for group in machine.groups
    )
    return replace(machine, groups=groups, aftermath=hidden.aftermath)


def _members(devices: Iterable[Device]) -> frozenset[str]:
    return frozenset(device.address for device in devices)
