"""What a rule is, what it looks at, and what it says."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from iommu_inspect.kernel.ownership import Role, role
from iommu_inspect.kernel.semantics import Semantics
from iommu_inspect.model.machine import Device, Group, Machine
from iommu_inspect.model.target import Target

__all__ = ["Case", "Certainty", "Finding", "Rule", "Severity"]


class Severity(enum.Enum):
    """How bad it is. Only errors make a target blocked."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Certainty(enum.Enum):
    """What a finding rests on.

    ``KERNEL``: facts that the kernel shows, judged by rules of its own.
    ``DERIVED``: our conclusion from such facts. ``UNKNOWN``: the fact that would
    decide is missing; an error of this kind makes a verdict unknown.
    """

    KERNEL = "kernel"
    DERIVED = "derived"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule has to say.

    ``devices`` begins with the one it is about; ``message`` is one sentence or two,
    ``remedy`` a line of prose, then commands on lines of their own; ``step`` says in a
    few words, as an order, what an error asks for first. All are plain text.
    """

    rule: str
    severity: Severity
    certainty: Certainty
    group: str | None
    devices: tuple[str, ...]
    message: str
    remedy: str
    references: tuple[str, ...] = ()
    step: str = ""


@dataclass(frozen=True)
class Case:
    """What is judged: a machine, the rules of its kernel, and what was asked for.

    Without targets the whole host is judged.
    """

    machine: Machine
    semantics: Semantics
    targets: tuple[Target, ...] = ()

    @property
    def groups(self) -> tuple[Group, ...]:
        """The groups to look at, in the machine's order."""
        if not self.targets:
            return self.machine.groups
        wanted = {target.group.id for target in self.targets if target.group}
        return tuple(group for group in self.machine.groups if group.id in wanted)

    @property
    def target_devices(self) -> tuple[Device, ...]:
        """The devices asked for one by one; those of ``group:N`` are not."""
        return tuple(t.device for t in self.targets if t.device is not None)

    def targets_in(self, group: Group) -> tuple[Device, ...]:
        """Return the members of a group that were asked for one by one."""
        return tuple(d for d in group.devices if self.is_target(d))

    def is_target(self, device: Device) -> bool:
        """Say whether this very device was asked for."""
        return any(device is target for target in self.target_devices)

    def role(self, device: Device) -> Role:
        """Classify a device; unknown where the possible kernels differ."""
        found = {role(device, era) for era in self.semantics.eras}
        return found.pop() if len(found) == 1 else Role.UNKNOWN

    def having(self, group: Group, *wanted: Role) -> tuple[Device, ...]:
        """Return the group's members of these roles."""
        return tuple(d for d in group.devices if self.role(d) in wanted)

    def handed_over(self, group: Group) -> bool:
        """Say whether the group matters now: asked for, or a member on vfio."""
        return bool(self.targets) or bool(self.having(group, Role.VFIO))

    @property
    def may_crash(self) -> bool:
        """Say whether the kernel may be one without DMA ownership (before v5.19)."""
        return any(not era.dma_owner for era in self.semantics.eras)


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id (the stem of its page) and the narrowest hook that it needs.

    ``check_device`` sees only the devices that were asked for.
    """

    id: str
    summary: str
    check_machine: Callable[[Case], Iterable[Finding]] | None = None
    check_group: Callable[[Case, Group], Iterable[Finding]] | None = None
    check_device: Callable[[Case, Device], Iterable[Finding]] | None = None

    def run(self, case: Case) -> Iterable[Finding]:
        """Yield the rule's findings: the host's, the groups', the devices'."""
        if self.check_machine is not None:
            yield from self.check_machine(case)
        if self.check_group is not None:
            for group in case.groups:
                yield from self.check_group(case, group)
        if self.check_device is not None:
            for device in case.target_devices:
                yield from self.check_device(case, device)
