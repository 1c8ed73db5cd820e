"""Holds the tool against what a kernel answered: right, wrong or unknown."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from iommu_inspect.kernel.answers import Answer
from iommu_inspect.kernel.eras import Semantics, applicable
from iommu_inspect.kernel.grouping.making.recompute import recompute
from iommu_inspect.kernel.ownership.inquiry import Inquiry, Prediction
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.kernel.steps.simulate import Simulation
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from lab.truth import Truth

__all__ = ["Comparison", "compare_simulation", "compare_state", "compare_user"]


@dataclass(frozen=True)
class Comparison:
    """One answer of the tool beside that of the kernel.

    ``answer`` is the tool's own, where it is one to a call.
    """

    operation: str
    target: str
    expected: str
    got: str
    because: str
    answer: Answer | None = None

    @property
    def outcome(self) -> str:
        """``right``, ``wrong`` or ``unknown``."""
        if self.got == self.expected:
            return "right"
        return "unknown" if self.got == "unknown" else "wrong"


def compare_state(machine: Machine, truth: Truth) -> Iterator[Comparison]:
    """Compare groups, ownership, every prediction, and the recomputed groups."""
    semantics = applicable(machine.kernel)
    yield from _groups(machine, truth)
    inquiry = Inquiry(machine, semantics)
    yield from _ownership(inquiry, truth)
    yield from _predictions(inquiry.predictions(), truth, "")
    found = recompute(machine)
    for group in machine.groups:
        agreement = found.agreement(group)
        got = {True: "same", False: "other", None: "unknown"}[agreement.agrees]
        yield Comparison("recomputed group", group.id, "same", got, agreement.because)


def _groups(machine: Machine, truth: Truth) -> Iterator[Comparison]:
    seen = {g.id: _listed(d.address for d in g.devices) for g in machine.groups}
    for group in sorted(seen.keys() | truth.groups.keys(), key=int):
        expected = _listed(truth.groups[group]) if group in truth.groups else "none"
        yield Comparison("list", group, expected, seen.get(group, "none"), "")
    yield from _drivers(machine, truth, "list driver")


def _drivers(machine: Machine, truth: Truth, operation: str) -> Iterator[Comparison]:
    drivers = {d.address: d.driver for d in machine.devices}
    for device in sorted(drivers.keys() | truth.drivers.keys()):
        found = drivers.get(device, "not listed")
        got = str(found) if known(found) else "unknown"
        expected = str(truth.drivers.get(device, "not listed"))
        yield Comparison(operation, device, expected, got, "")


def _ownership(inquiry: Inquiry, truth: Truth) -> Iterator[Comparison]:
    """Since v5.19 the kernel says whether a driver or a user owns a group's DMA."""
    for group_id, claimed in truth.claimed.items():
        group = inquiry.machine.group(group_id)
        if group is None:
            continue
        state = inquiry.ownership(group)
        counted = state in (Ownership.KERNEL, Ownership.CONFLICT)
        counted = counted or group.held.by_user
        got = "unknown" if state is Ownership.UNKNOWN else str(counted)
        yield Comparison("list ownership", group_id, str(claimed), got, state.value)


def _predictions(
    predictions: Iterable[Prediction], truth: Truth, prefix: str
) -> Iterator[Comparison]:
    for prediction in predictions:
        key = (prediction.operation, str(prediction.target))
        if key in truth.answers:
            yield Comparison(
                prefix + prediction.operation,
                str(prediction.target),
                truth.answers[key],
                prediction.answer.result,
                prediction.answer.because,
                prediction.answer,
            )


def compare_user(root: Machine, user: Machine) -> Iterator[Comparison]:
    """An ordinary user gets the same ownership and the same predictions."""
    mine = Inquiry(root, applicable(root.kernel))
    theirs = Inquiry(user, applicable(user.kernel))
    for group in root.groups:
        other = user.group(group.id)
        got = theirs.ownership(other).value if other else "no such group"
        expected = mine.ownership(group).value
        yield Comparison("ownership without root", group.id, expected, got, "")
    expected_answers, answers = (
        {(p.operation, p.target): p.answer for p in inquiry.predictions()}
        for inquiry in (mine, theirs)
    )
    for key in dict.fromkeys((*expected_answers, *answers)):
        wanted, answer = expected_answers.get(key), answers.get(key)
        yield Comparison(
            "prediction without root",
            f"{key[0]} {key[1]}",
            wanted.result if wanted else "not predicted",
            answer.result if answer else "not predicted",
            answer.because if answer else "",
        )


def compare_simulation(
    simulation: Simulation, semantics: Semantics, truth: Truth
) -> Iterator[Comparison]:
    """Compare the state after hypothetical steps with the one after real ones.

    A new group's number cannot be known, so groups are matched by their members.
    """
    after = simulation.after
    numbers = {
        _listed(d.address for d in group.devices): group.id for group in after.groups
    }
    renamed = {}
    for group_id, members in truth.groups.items():
        known = numbers.get(_listed(members))
        got = "same" if known is not None else "no such group"
        yield Comparison("whatif groups", _listed(members), "same", got, "")
        if known is not None:
            renamed[group_id] = known
    there = {_listed(members) for members in truth.groups.values()}
    for listed in sorted(numbers.keys() - there):
        yield Comparison("whatif groups", listed, "gone", "still there", "")
    yield from _drivers(after, truth, "whatif driver")
    expected = Truth(
        answers={
            (operation, renamed.get(target, target)): result
            for (operation, target), result in truth.answers.items()
            if target not in truth.groups or target in renamed
        }
    )
    yield from _predictions(
        Inquiry(after, semantics).predictions(), expected, "whatif "
    )


def _listed(names: Iterable[str]) -> str:
    return " ".join(sorted(names)) or "nothing"
