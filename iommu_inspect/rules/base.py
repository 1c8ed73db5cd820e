"""What a rule is."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from iommu_inspect.model.machine import Device, Group
from iommu_inspect.rules.case import USER_SPACE, Case, Purpose
from iommu_inspect.rules.finding import Finding

__all__ = ["Rule"]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: its id (the stem of its page) and the narrowest hook that it needs.

    ``check_device`` sees only the devices that were asked for. For other purposes
    than ``purposes`` the rule has nothing to say. What a ``joint`` rule says of one
    target can depend on what else is asked for.
    """

    id: str
    summary: str
    check_machine: Callable[[Case], Iterable[Finding]] | None = None
    check_group: Callable[[Case, Group], Iterable[Finding]] | None = None
    check_device: Callable[[Case, Device], Iterable[Finding]] | None = None
    purposes: frozenset[Purpose] = USER_SPACE
    joint: bool = False

    def run(self, case: Case) -> Iterable[Finding]:
        """Yield the rule's findings: the host's, the groups', the devices'."""
        if case.purpose not in self.purposes:
            return
        if self.check_machine is not None:
            yield from self.check_machine(case)
        if self.check_group is not None:
            for group in case.groups:
                yield from self.check_group(case, group)
        if self.check_device is not None:
            for device in case.target_devices:
                yield from self.check_device(case, device)
