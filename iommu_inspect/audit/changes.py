"""What the rules say of a machine before and after hypothetical steps."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.audit.auditing import audit
from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.kernel.steps.simulate import Simulation
from iommu_inspect.model.address import natural_key
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.target import Target
from iommu_inspect.rules.finding import Finding

__all__ = ["findings_around"]


def findings_around(
    before: Machine, simulation: Simulation, semantics: Semantics
) -> tuple[tuple[Finding, ...], tuple[Finding, ...]]:
    """Return the findings before and after, about the groups that steps touched.

    The groups are judged as if each had been asked for. A host that crashed has no
    findings.
    """
    after = simulation.after
    ids = {o.group for o in simulation.outcomes if o.group is not None} | {
        group.id for group in before.groups if group != after.group(group.id)
    }
    ids |= {group.id for group in after.groups if before.group(group.id) is None}
    old = _findings(before, ids, semantics)
    return old, _findings(after, ids, semantics) if simulation.alive else ()


def _findings(
    machine: Machine, ids: Iterable[str], semantics: Semantics
) -> tuple[Finding, ...]:
    targets = tuple(
        Target(f"group:{group.id}", None, group)
        for group_id in sorted(ids, key=natural_key)
        if (group := machine.group(group_id)) is not None
    )
    return audit(machine, semantics, targets).findings if targets else ()
