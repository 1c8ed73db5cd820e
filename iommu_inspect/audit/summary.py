"""The whole host in one look: what could be handed over now, after a step, or never."""

from __future__ import annotations

import enum
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import replace

from iommu_inspect.audit.exceptions import Ignore, set_aside
from iommu_inspect.audit.told_once import nameless
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.losses import perhaps_lost, perhaps_untold
from iommu_inspect.plan.decision.deciding import decide
from iommu_inspect.plan.decision.moves import Move, move_words
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Purpose, Severity
from iommu_inspect.rules.registry import RULES
from iommu_inspect.verdict.kernel_side import answers, of_target
from iommu_inspect.verdict.outcome import Verdict, of_answer, of_findings, worst

__all__ = ["Possible", "Prospect", "Said", "Spread", "alike", "in_turn", "summary"]

_RANKS = {rule.id: rank for rank, rule in enumerate(RULES)}


class Possible(enum.Enum):
    """When a group can be handed over, as far as the rules see."""

    NOW = "now"
    AFTER = "after"
    NEVER = "never"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Prospect:
    """One group that has endpoints, or one endpoint without a group.

    ``devices`` are the endpoints; ``steps`` what is asked for first, in a few words
    each; ``because`` why it is not possible or cannot be told, if no step says it.
    """

    group: str | None
    devices: tuple[Device, ...]
    possible: Possible
    steps: tuple[str, ...] = ()
    because: str = ""


Said = tuple[Possible, tuple[str, ...], str]
"""What is said of a prospect: whether it is possible, its steps, and why not."""
Spread = Callable[[Callable[[int], Said], int], Iterable[Said]]
"""What asks a function for each number below another, in order."""


def in_turn(function: Callable[[int], Said], count: int) -> Iterable[Said]:
    """Ask one after the other: the least of what spreads."""
    return map(function, range(count))


def summary(
    case: Case,
    ignores: tuple[Ignore, ...],
    *,
    strict: bool,
    spread: Spread = in_turn,
) -> tuple[Prospect, ...]:
    """Judge every group as if it alone were asked for, in the machine's order.

    Most rules are asked about all of them in one go, so that they look at the host
    once; those that are ``joint`` about one group at a time, which ``spread`` may do
    by several processes. Ignored errors count, as they do for a target.
    """
    targets = tuple(_targets(case.machine))

    def errors(targets: tuple[Target, ...], *, joint: bool) -> _Errors:
        asked = replace(case, targets=targets)
        found = [f for r in RULES if r.about.joint is joint for f in r.run(asked)]
        counted = [f for f in found if f.severity is Severity.ERROR]
        if strict:
            kept, _ = set_aside(found, ignores, case.machine)
            counted += [f for f in kept if f.severity is Severity.WARNING]
        return _Errors(counted)

    of_all = errors(targets, joint=False)

    def said(number: int) -> Said:
        target = targets[number]
        own = errors((target,), joint=True)
        found = sorted(of_all.of(target) + own.of(target), key=_rank)
        return _said(replace(case, targets=(target,)), target, found)

    return tuple(
        Prospect(
            target.group.id if target.group else None,
            tuple(device for device in target.devices if _is_endpoint(device)),
            *what,
        )
        for target, what in zip(targets, spread(said, len(targets)), strict=True)
    )


def alike(prospects: Iterable[Prospect]) -> tuple[tuple[Prospect, ...], ...]:
    """Put together what has the same said of it but for names, in order."""
    found: dict[tuple[object, ...], list[Prospect]] = {}
    for each in prospects:
        said = nameless((*each.steps, each.because), each.devices, each.group)
        key = (each.possible, each.group is None, *said)
        found.setdefault(key, []).append(each)
    return tuple(map(tuple, found.values()))


def _rank(finding: Finding) -> int:
    return _RANKS[finding.rule]


def _targets(machine: Machine) -> Iterable[Target]:
    for group in machine.groups:
        if any(_is_endpoint(device) for device in group.devices):
            yield Target(f"group:{group.id}", None, group)
    for device in machine.ungrouped:
        if _is_endpoint(device):
            yield Target(device.address, device, None)


def _is_endpoint(device: Device) -> bool:
    return device.is_bridge is not True and not device.is_chipset


class _Errors:
    """Errors by what they concern, so that each target finds its own at once."""

    def __init__(self, errors: list[Finding]) -> None:
        self._of_host = []
        self._of_group = defaultdict(list)
        self._of_device = defaultdict(list)
        for error in errors:
            counted = replace(error, severity=Severity.ERROR)
            if error.group is not None:
                self._of_group[error.group].append(counted)
            elif error.devices:
                self._of_device[error.devices[0]].append(counted)
            else:
                self._of_host.append(counted)

    def of(self, target: Target) -> list[Finding]:
        if target.group is not None:
            return self._of_host + self._of_group.get(target.group.id, [])
        about = target.device and self._of_device.get(target.device.id)
        return self._of_host + (about or [])


def _said(case: Case, target: Target, errors: list[Finding]) -> Said:
    found = answers(case, target)
    verdict = worst((of_target(case, target, found), of_findings(errors)))
    sure = [e for e in errors if e.certainty is not Certainty.UNKNOWN]
    reasons = [a.because for _, a in found if of_answer(a) is verdict]
    possible, steps = _possible(verdict, errors, sure)
    if target.group is not None and possible in (Possible.AFTER, Possible.UNKNOWN):
        possible, steps = _decided(case, possible, steps, errors)
    if possible is Possible.AFTER and not steps:
        steps = tuple(dict.fromkeys(f"see {error.rule}" for error in errors))
    because = "" if steps or verdict is Verdict.READY else "".join(reasons[:1])
    return possible, steps, because


def _possible(
    verdict: Verdict, errors: list[Finding], sure: list[Finding]
) -> tuple[Possible, tuple[str, ...]]:
    if verdict is Verdict.READY:
        return Possible.NOW, ()
    final = [error for error in sure if error.final]
    if final:
        return Possible.NEVER, _steps(final)
    never_perhaps = any(e.final for e in errors if e not in sure)
    if verdict is Verdict.UNKNOWN or not sure or never_perhaps:
        # The kernel says no and no rule knows why: what would help is not known.
        return Possible.UNKNOWN, _steps(errors)
    return Possible.AFTER, _steps([*sure, *(e for e in errors if e not in sure)])


def _may_be_lived_on(case: Case, move: Move) -> bool:
    if not move.changes:
        return False
    machine = case.machine
    return bool(
        perhaps_lost(machine, move.device) or perhaps_untold(machine, move.device)
    )


def _steps(errors: list[Finding]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(error.step for error in errors if error.step))


def _decided(
    case: Case, possible: Possible, steps: tuple[str, ...], errors: list[Finding]
) -> tuple[Possible, tuple[str, ...]]:
    """Say what the plan decides about a group, as the steps of the host come first."""
    if case.purpose is Purpose.ATTACH:
        return possible, steps
    decided = decide(case)
    certain = [r for r in decided.refusals if r.certain]
    if certain:
        stays = [m for m in decided.moves if m.refusal is not None]
        why = tuple(f"{m.device.address}: {m.why}" for m in stays[:1])
        return Possible.NEVER, why or (certain[0].message,)
    if decided.refusals:
        # What a rule has said is not said again.
        said = {error.rule for error in errors}
        more = (r.message for r in decided.refusals[:1] if r.rule not in said)
        return Possible.UNKNOWN, (*steps, *more)
    if possible is Possible.UNKNOWN and steps:
        return possible, steps
    if lived_on := [m.device for m in decided.moves if _may_be_lived_on(case, m)]:
        return Possible.UNKNOWN, (
            *steps,
            f"find out whether the host lives on {addresses(lived_on)}",
        )
    return possible, tuple(dict.fromkeys((*steps, *move_words(decided.moves))))
