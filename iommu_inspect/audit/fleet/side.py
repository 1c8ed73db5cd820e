"""A host at one time, from a source or from a document: now, or as it was."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import field

from iommu_inspect.audit.auditing import Audit, audit
from iommu_inspect.audit.exceptions import Ignore
from iommu_inspect.audit.fleet.row import Held, Holding, Row
from iommu_inspect.audit.known import Known
from iommu_inspect.audit.summary import Possible
from iommu_inspect.kernel.eras import Semantics, applicable, named
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["Asked", "Side", "holdings_of", "row_of", "side_of"]


@dataclass(frozen=True, slots=True)
class Asked:
    """What is asked of every host: the options of ``audit``."""

    purpose: Purpose = Purpose.VFIO
    semantics: str = "auto"
    strict: bool = False
    ignores: tuple[Ignore, ...] = ()

    def rules_of(self, machine: Machine) -> Semantics:
        """Return the rules that apply to a machine."""
        auto = self.semantics == "auto"
        return applicable(machine.kernel) if auto else named(self.semantics)


@dataclass(frozen=True, slots=True, eq=False)
class Side:
    """A host at one time.

    ``whole`` is false where the source is no audit and has no verdict: ``because`` says
    so. ``owners`` are by the groups' ids. What is not in ``possible`` was not asked.
    """

    machine: Machine
    kind: str
    kernel: str | None
    semantics: str | None
    verdict: Verdict
    found: tuple[Known, ...] = ()
    ignored: int = 0
    unseen: tuple[str, ...] = ()
    owners: dict[str, Ownership] = field(default_factory=dict)
    possible: dict[str, Possible] = field(default_factory=dict)
    because: str = ""
    whole: bool = True


def side_of(machine: Machine, asked: Asked) -> Side:
    """Audit a whole host that was read from a source."""
    rules = asked.rules_of(machine)
    result = audit(
        machine,
        rules,
        purpose=asked.purpose,
        strict=asked.strict,
        ignores=asked.ignores,
    )
    inquiry = Inquiry(machine, rules)
    return Side(
        machine,
        machine.source.kind,
        value_or(machine.kernel.release, None),
        rules.label,
        result.verdict,
        tuple(map(Known.of, result.findings)),
        len(result.ignored),
        tuple(each.fact.value for each in result.unseen),
        {group.id: inquiry.ownership(group) for group in machine.groups},
        _possible(result),
    )


def _possible(result: Audit) -> dict[str, Possible]:
    return {p.group: p.possible for p in result.summary if p.group is not None}


def row_of(side: Side, host: str, path: str, asked: Asked) -> Row:
    """Return the row of a host."""
    return Row(
        host,
        path,
        side.verdict,
        read=True,
        because=side.because,
        kind=side.kind,
        kernel=side.kernel,
        semantics=side.semantics,
        purpose=asked.purpose,
        findings=side.found,
        ignored=side.ignored,
        unseen=side.unseen,
        groups=holdings_of(side),
        devices=tuple(_held(side)),
    )


def holdings_of(side: Side) -> tuple[Holding, ...]:
    """Return a host's groups, in the machine's order."""
    return tuple(
        Holding(
            group.id,
            side.owners.get(group.id, Ownership.UNKNOWN),
            side.possible.get(group.id),
            tuple(device.id for device in group.devices),
        )
        for group in side.machine.groups
    )


def _held(side: Side) -> Iterable[Held]:
    for group in side.machine.groups:
        owner = side.owners.get(group.id, Ownership.UNKNOWN)
        for device in group.devices:
            yield _one(device, group.id, owner)
    for device in side.machine.ungrouped:
        yield _one(device, None, Ownership.UNKNOWN)


def _one(device: Device, group: str | None, owner: Ownership) -> Held:
    code = value_or(device.ids.class_code, None)
    return Held(
        device.id,
        device.ids.pair,
        None if code is None else f"{code:06x}",
        value_or(device.driver, None),
        group,
        owner,
    )
