"""What a rule is made of: what it says of itself, and how it checks."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import About, Certainty, Finding, Severity

__all__ = [
    "About",
    "Case",
    "Certainty",
    "Finding",
    "Rule",
    "Severity",
]


@dataclass(frozen=True, slots=True)
class Rule:
    """A rule: what it is about, and the narrowest hook that it needs.

    ``check_device`` sees only the devices that were asked for.
    """

    about: About
    check_machine: Callable[[Case], Iterable[Finding]] | None = None
    check_group: Callable[[Case, Group], Iterable[Finding]] | None = None
    check_device: Callable[[Case, Device], Iterable[Finding]] | None = None

    @property
    def id(self) -> str:
        """The rule's name, and with "_" for "-" the stem of its files."""
        return self.about.id

    def run(self, case: Case) -> Iterable[Finding]:
        """Yield the rule's findings: the host's, the groups', the devices'."""
        if case.purpose not in self.about.purposes:
            return
        case = case.under(self.about)
        if self.check_machine is not None:
            yield from self.check_machine(case)
        if self.check_group is not None:
            for group in case.groups:
                yield from self.check_group(case, group)
        if self.check_device is not None:
            for device in case.target_devices:
                yield from self.check_device(case, device)
