"""What rules look at."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from functools import cached_property

from iommu_inspect.kernel.citations import Citation
from iommu_inspect.kernel.eras import PROPOSED, Semantics, named
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import is_bifurcated, is_on_uio
from iommu_inspect.model.address import PciAddress
from iommu_inspect.model.expectation import Expectation
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Device, Group, Machine
from iommu_inspect.model.target import Target
from iommu_inspect.rules.about import About, Purpose
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["Case"]


@dataclass(frozen=True)
class Case:
    """What is judged: a machine under the rules of its kernel, and what was asked for.

    Without targets the whole host is judged. ``expectations`` are the devices that
    somebody expects at certain addresses. ``about`` is the rule that looks at it.
    """

    inquiry: Inquiry
    targets: tuple[Target, ...] = ()
    purpose: Purpose = Purpose.VFIO
    expectations: tuple[Expectation, ...] = ()
    about: About | None = None

    @property
    def machine(self) -> Machine:
        """The machine that is judged."""
        return self.inquiry.machine

    @property
    def semantics(self) -> Semantics:
        """The rules of its kernel, or those it is judged by."""
        return self.inquiry.semantics

    @cached_property
    def proposal(self) -> Inquiry:
        """The machine under the rule that was proposed in 2021."""
        return Inquiry(self.machine, named(PROPOSED.name))

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """The groups to look at, in the machine's order."""
        if not self.targets:
            return self.machine.groups
        wanted = {target.group.id for target in self.targets if target.group}
        return tuple(group for group in self.machine.groups if group.id in wanted)

    @cached_property
    def target_devices(self) -> tuple[Device, ...]:
        """The devices asked for one by one; those of ``group:N`` are not."""
        return tuple(t.device for t in self.targets if t.device is not None)

    @cached_property
    def whole_groups(self) -> frozenset[str]:
        """The ids of the groups asked for as ``group:N``."""
        return frozenset(t.group.id for t in self.targets if not t.device and t.group)

    def targets_in(self, group: Group) -> tuple[Device, ...]:
        """Return the members of a group that were asked for one by one."""
        return tuple(d for d in group.devices if self.is_target(d))

    def is_target(self, device: Device) -> bool:
        """Say whether this very device was asked for."""
        return device.id in self._target_ids

    @cached_property
    def _target_ids(self) -> frozenset[DeviceId]:
        return frozenset(device.id for device in self.target_devices)

    def role(self, device: Device) -> Role:
        """Classify a device; unknown where the possible kernels differ."""
        return self.inquiry.role(device)

    def having(self, group: Group, *wanted: Role) -> tuple[Device, ...]:
        """Return the group's members of these roles."""
        return tuple(d for d in group.devices if self.role(d) in wanted)

    def handed_over(self, group: Group) -> bool:
        """Say whether the group matters now: asked for, or a member on vfio."""
        if self.having(group, Role.VFIO):
            return True
        if self.purpose is not Purpose.DPDK:
            return bool(self.targets)
        return any(t.group is group and not self.without_vfio(t) for t in self.targets)

    def without_vfio(self, target: Target) -> bool:
        """Say whether the target is used by other means than VFIO.

        That is DPDK's way with devices on a driver of UIO, or on one that it works
        through. Of a whole group every device that has a driver has to be so.
        """
        if self.purpose is not Purpose.DPDK:
            return False
        bound = [d for d in target.devices if d.driver is not None]
        mine = [d for d in bound if d.is_bridge is not True or d is target.device]
        return bool(mine) and all(is_on_uio(d) or is_bifurcated(d) for d in mine)

    @property
    def may_crash(self) -> bool:
        """Say whether the kernel may be one without DMA ownership (before v5.19)."""
        return any(not era.dma_owner for era in self.semantics.eras)

    def under(self, about: About) -> Case:
        """Return the case as a rule looks at it."""
        return replace(self, about=about)

    def neighbours(self, device: Device) -> tuple[Device, ...]:
        """Return the other members of the device's group."""
        group = self.machine.group_of(device)
        return tuple(d for d in (group.devices if group else ()) if d is not device)

    def finding(
        self,
        subject: Device | Group | PciAddress | None,
        message: str,
        remedy: str,
        *,
        others: Iterable[Device | PciAddress] = (),
        severity: Severity | None = None,
        certainty: Certainty = Certainty.KERNEL,
        references: Iterable[Citation | str] | None = None,
        step: str = "",
        final: bool = False,
    ) -> Finding:
        """Make a finding of the rule that looks at the case: the only way to make one.

        Args:
            subject: what it is about: a device, a group with all its members, an
                address where no device is, or with ``None`` the host.
            message: one sentence or two, plain text.
            remedy: a line of prose, then commands on lines of their own.
            others: which devices it is about as well, such as ``neighbours()``.
            severity: the rule's own, if not given.
            certainty: what it rests on.
            references: the rule's own, if not given.
            step: in a few words, as an order, what an error asks for first.
            final: whether no step on this machine as it is takes the error away.

        Raises:
            ValueError: no rule looks at the case, or the message or remedy is empty.
        """
        if self.about is None or not message or not remedy:
            raise ValueError("a finding has a rule, a message and a remedy")
        group: Group | None = None
        first: tuple[Device | PciAddress, ...] = ()
        if isinstance(subject, Group):
            group, first = subject, subject.devices
        elif isinstance(subject, Device):
            group, first = self.machine.group_of(subject), (subject,)
        elif subject is not None:
            first = (subject,)
        devices = (*first, *others)
        cited = self.about.references if references is None else references
        return Finding(
            rule=self.about.id,
            severity=severity or self.about.severity,
            certainty=certainty,
            group=group.id if group else None,
            devices=tuple(
                dict.fromkeys(
                    d.address if isinstance(d, Device) else str(d) for d in devices
                )
            ),
            message=message,
            remedy=remedy,
            references=tuple(map(str, cited)),
            step=step,
            final=final,
        )
