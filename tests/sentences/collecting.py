"""Every sentence that the program has said of many machines, each kind of it once.

Names of devices, and numbers, are marks: what is left are the answers with their rules,
their reasons and their sources.
"""

from __future__ import annotations

import enum
import errno
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import fields, is_dataclass

from faults.cases import FaultCase, opened
from faults.failing import FailingTree, Fault, operations
from shared import FIXTURES, SYSFS

from iommu_inspect.kernel.answers import Answer
from iommu_inspect.kernel.eras import ERAS, PROPOSALS, Semantics, applicable
from iommu_inspect.kernel.grouping.growth import Growing
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.grouping.telling.sharing import pair, sharing
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.steps.simulate import simulate
from iommu_inspect.kernel.steps.state import only
from iommu_inspect.kernel.steps.step import parse_step
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.asked.usage import BadRequestError
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import printable
from iommu_inspect.plan.steps.making import make_plan
from iommu_inspect.plan.writing import written
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_source
from iommu_inspect.verdict.judge import findings_of
from tools.advice.machines import machine as made_up

__all__ = ["COLLECTIONS", "machines", "sentences"]

# Names of its devices are sentences.
_NO_NAMES = ("hostile-names",)
_SEEDS = range(1, 25)
_LOSING = ("half-a-group", "sriov-one-group", "bridge-shpchp", "platform-members")
_EVERY_ERA = (*map(only, ERAS), *map(only, PROPOSALS))
_ADDRESS = re.compile(r"\b(?:[0-9a-f]{4,}:)?[0-9a-f]{2}:[0-9a-f]{2}(?:\.[0-7])?\b")
_NUMBER = re.compile(r"(?<![\w.:])(?:0x[0-9a-f]+|\d+)(?![\w.:]*\.\d)\b")
_LIST = re.compile(r"D(?:, D)+(?: and (?:D|# more))?|D and D")


def machines() -> Iterator[Machine]:
    """Yield the fixtures, some that were made up, and some that lost facts."""
    paths = [path for path in sorted(SYSFS.iterdir()) if path.name not in _NO_NAMES]
    for path in (*paths, *sorted((FIXTURES / "kernels").glob("*.tar.gz"))):
        if path.is_dir() or path.suffix == ".gz":
            yield read_source(open_source(str(path)))
    yield from map(made_up, _SEEDS)
    for name in _LOSING:
        yield from _losing(FaultCase(str(SYSFS / name), live=True))


def _losing(case: FaultCase) -> Iterator[Machine]:
    """Yield a machine once for each kind of file that nobody may read."""
    tree = opened(case)
    whole = FailingTree(tree)
    read_machine(whole, processes=True)
    kinds: dict[str, list[Fault]] = {}
    for operation in operations(whole.made):
        kind = _plain(operation[1].rpartition("/")[2])
        kinds.setdefault(kind, []).append(Fault(operation, errno.EACCES))
    machines = (
        read_machine(FailingTree(tree, *faults), processes=True)
        for faults in kinds.values()
    )
    yield from {repr(machine): machine for machine in machines}.values()


def sentences(collect: Callable[[Machine], Iterable[str]]) -> list[str]:
    """Return what is said of all machines, in order, each once."""
    return sorted({printable(text) for each in machines() for text in collect(each)})


def _plain(text: str) -> str:
    return _LIST.sub("Ds", _NUMBER.sub("#", _ADDRESS.sub("D", text)))


def _answer(answer: Answer) -> str:
    sources = ", ".join(c.commit.removeprefix("commit ") for c in answer.references)
    probe = f" probe {answer.probe}" if answer.probe else ""
    why = _plain(answer.because)
    return f"{answer.result}{probe} [{answer.rule}] {why} ({sources})"


def answers(machine: Machine) -> Iterator[str]:
    """Yield the kernel's answers, of every era."""
    for semantics in (*_EVERY_ERA, applicable(machine.kernel)):
        for each in Inquiry(machine, semantics).predictions():
            yield f"{each.operation}: {_answer(each.answer)}"


def steps(machine: Machine) -> Iterator[str]:
    """Yield the answers to steps, one after the other."""
    for text in _sequences(machine):
        for semantics in (_EVERY_ERA[0], _EVERY_ERA[1], _EVERY_ERA[2], _EVERY_ERA[4]):
            try:
                taken = [parse_step(word) for word in text]
                found = simulate(machine, semantics, taken)
            except BadRequestError as error:
                yield f"refused: {_plain(str(error))}"
                continue
            assert [outcome.step.text for outcome in found.outcomes] == text
            for outcome in found.outcomes:
                verb = outcome.step.text.partition("=")[0]
                joins = _plain(str(outcome.group))
                yield f"{verb}: {_answer(outcome.answer)} joins {joins}"


_TYPE1 = "vfio_iommu_type1"
# The groups of a machine that drivers, modules and types are tried on.
_MOST_TOLD = 2


def _sequences(machine: Machine) -> Iterator[list[str]]:
    unsafe = f"parameter={_TYPE1}.allow_unsafe_interrupts"
    yield [f"load={_TYPE1}", f"{unsafe},Y", f"{unsafe},x", f"unload={_TYPE1}"]
    yield ["parameter=vfio_pci.disable_denylist,Y", "load=e1000e", "unload=e1000e"]
    yield ["unload=vfio_pci", "load=vfio_pci", "parameter=vfio_pci.enable_sriov,Y"]
    for device in machine.devices:
        name = device.address
        group = machine.group_of(device)
        yield [f"bind={name},vfio-pci", f"unbind={name}", f"bind={name},vfio-pci"]
        yield [f"override={name},vfio-pci", f"unbind={name}", f"probe={name}"]
        yield [f"attach={name}", f"detach={name}", f"detach={name}"]
        yield [f"rebind={name},pci-stub", f"sriov={name},2", f"sriov={name},0"]
        yield [f"sriov={name},2", f"sriov={name},1", f"hotplug={name}"]
        yield [f"hotplug={name}", f"hotplug={name},0200,e1000e"]
        yield [f"unplug={name}", f"bind={name},vfio-pci"]
        if group is not None and device is group.devices[0]:
            unbind = [f"unbind={d.address}" for d in group.devices]
            claim, kind = f"claim={group.id}", f"type={group.id}"
            yield [claim, claim, *unbind, f"release={group.id}"]
            yield [*unbind, f"bind={name},vfio-pci", claim, f"bind={name},e1000e"]
            if group in machine.groups[:_MOST_TOLD]:
                tell, forget = f"new_id=vfio-pci,{name}", f"remove_id=vfio-pci,{name}"
                yield [tell, f"unbind={name}", tell, forget, forget, tell]
                yield [f"{kind},DMA-FQ", *unbind, f"{kind},identity", f"{kind},DMA"]
                yield [claim, f"{kind},identity", f"unload={_TYPE1}", "unload=vfio_pci"]


def _cases(machine: Machine) -> Iterator[tuple[Target | None, Purpose, Semantics]]:
    rules = applicable(machine.kernel)
    for purpose in Purpose:
        yield None, purpose, rules
        for number, device in enumerate(machine.devices):
            if number < _MOST:
                group = machine.group_of(device)
                yield Target(device.address, device, group), purpose, rules
        for group in machine.groups[:_MOST]:
            yield Target(f"group:{group.id}", None, group), purpose, rules


_MOST = 12


def findings(machine: Machine) -> Iterator[str]:
    """Yield what the rules find."""
    for target, purpose, rules in _cases(machine):
        targets = () if target is None else (target,)
        for each in findings_of(Case(Inquiry(machine, rules), targets, purpose)):
            final = " final" if each.final else ""
            cures = "; ".join(f"{' '.join(_parts(cure))}" for cure in each.cures)
            yield (
                f"{each.rule} {each.severity.value} {each.certainty.value}{final}: "
                f"{_plain(f'{each.message} | {each.remedy} | {each.step}')} | {cures}"
            )
            yield f"{each.rule} cites {len(each.references)}"


def plans(machine: Machine) -> Iterator[str]:
    """Yield why there is a plan or none, and what its notes say."""
    for target, purpose, rules in _cases(machine):
        if target is None:
            continue
        plan = make_plan(machine, rules, (target,), purpose=purpose)
        for refusal in plan.refusals:
            signs = f"{refusal.certain:d}{refusal.elsewhere:d}{refusal.final:d}"
            words = _plain(f"{refusal.message} | {refusal.remedy}")
            yield f"no {refusal.rule} {signs}: {words}"
        for move in plan.moves:
            yield f"{move.decision.value} {move.becomes}: {_plain(move.why)}"
            yield from (f"cost: {_plain(cost)}" for cost in move.costs)
        for each in plan.conditions:
            yield _plain(f"condition: {each.supposed} | {each.otherwise}")


def texts(machine: Machine) -> Iterator[str]:
    """Yield every line that a plan writes, by the name of what it stands in."""
    everywhere = set()
    for target, purpose, rules in _cases(machine):
        if target is None:
            continue
        plan = make_plan(machine, rules, (target,), purpose=purpose)
        # For every system once, which is long.
        all_systems = purpose not in everywhere and plan.has_steps
        everywhere |= {purpose} if all_systems else set()
        found = written(plan, rules, all_systems=all_systems)
        for field in fields(found):
            for part in _lines(getattr(found, field.name)):
                yield _plain(f"{field.name}: {part}")


def _lines(value: object) -> Iterator[str]:
    """Yield the lines of all texts in a value, however deep; or that there is none."""
    if isinstance(value, str):
        yield from value.splitlines() or [""]
    elif isinstance(value, tuple):
        yield f"{'some' if value else 'none'}"
        for each in value:
            yield from _lines(each)
    elif is_dataclass(value):
        for field in fields(value):
            for line in _lines(getattr(value, field.name)):
                yield f"{field.name}: {line}"
    else:
        yield _said(value)


def _said(value: object) -> str:
    """Return a value as a word that no sentence of the program has by mistake."""
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def _parts(value: object) -> Iterator[str]:
    """Yield the name of a cure and what it is about."""
    if is_dataclass(value) and not isinstance(value, DeviceId):
        yield type(value).__name__
        for field in fields(value):
            yield from _parts(getattr(value, field.name))
    elif isinstance(value, enum.Enum):
        yield value.name
    else:
        yield _plain(_said(value))


def reasons(machine: Machine) -> Iterator[str]:
    """Yield why devices are in their groups, and how these may grow."""
    grouping, found = Grouping(machine), recompute(machine)
    growing = Growing(grouping)
    devices = list(machine.devices)
    for device in devices:
        told = sharing(grouping, device, found)
        yield f"{told.told} {told.recomputed.agrees}: {_plain(told.recomputed.because)}"
        yield from (f"suspect: {_plain(each)}" for each in told.suspects)
        for hop in told.path:
            off = _plain(str(hop.off))
            yield f"hop {hop.isolates} {hop.loses} {hop.needs_acs} {off}"
        for reason in told.reasons:
            doubts = "; ".join(doubt.because for doubt in reason.doubts)
            yield f"{reason.mechanism}: {_plain(f'{reason.evidence} | {doubts}')}"
        if told.group is not None:
            growth = growing.growth(told.group)
            yield from (f"grows: {_plain(way.how)}" for way in growth.through)
            yield from (f"perhaps grows: {_plain(way.how)}" for way in growth.untold)
        if device.is_pci and devices[0].is_pci and device is not devices[0]:
            two = pair(grouping, found, devices[0], device)
            yield f"pair {two.shared} {two.mechanism}: {_plain(two.evidence)}"


COLLECTIONS = {
    "answers": answers,
    "findings": findings,
    "plans": plans,
    "reasons": reasons,
    "steps": steps,
    "texts": texts,
}
