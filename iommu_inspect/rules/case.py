"""What rules look at."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable
from dataclasses import field
from functools import cached_property
from typing import Any, TypeVar, cast

from iommu_inspect.kernel.citations import Citation
from iommu_inspect.kernel.eras import PROPOSED, SKETCHED, Semantics, named
from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.kernel.grouping.making.recompute import Recomputed, recompute
from iommu_inspect.kernel.ownership.inquiry import Inquiry
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import is_on_uio, works_through
from iommu_inspect.model.asked.expectation import Expectation
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.rules._cures import Cure
from iommu_inspect.rules.finding import About, Certainty, Finding, Purpose, Severity
from iommu_inspect.settings.ids import IdSetting, id_settings

__all__ = ["Case"]

_MOST_OTHERS = 64

T = TypeVar("T")


class _shared(cached_property[T]):  # noqa: N801 - it is used as one
    """What a case finds out once, for all the rules that look at it."""

    def __get__(self, case: object, owner: type[Any] | None = None) -> T:  # type: ignore[override]
        if not isinstance(case, Case) or case.whole is None:
            return super().__get__(case, owner)
        name = self.attrname or ""
        found: T = getattr(case.whole, name)
        case.__dict__[name] = found
        return found


@dataclass(frozen=True)
class Case:
    """What is judged: a machine under the rules of its kernel, and what was asked for.

    Without targets the whole host is judged. ``expectations`` are the devices that
    somebody expects at certain addresses. ``about`` is the rule that looks at it, and
    ``whole`` then the case that all rules share.
    """

    inquiry: Inquiry
    targets: tuple[Target, ...] = ()
    purpose: Purpose = Purpose.VFIO
    expectations: tuple[Expectation, ...] = ()
    about: About | None = None
    whole: Case | None = field(default=None, init=False, repr=False, compare=False)

    @property
    def machine(self) -> Machine:
        """The machine that is judged."""
        return self.inquiry.machine

    @property
    def semantics(self) -> Semantics:
        """The rules of its kernel, or those it is judged by."""
        return self.inquiry.semantics

    @_shared
    def posted(self) -> Inquiry:
        """The machine under the rule that was posted on 2022-01-06."""
        return self.inquiry.once(
            "posted", lambda: Inquiry(self.machine, named(PROPOSED.name))
        )

    @_shared
    def sketched(self) -> Inquiry:
        """The machine under the rule that was sketched on 2021-11-18."""
        return self.inquiry.once(
            "sketched", lambda: Inquiry(self.machine, named(SKETCHED.name))
        )

    @_shared
    def grouping(self) -> Grouping:
        """The machine's answers about isolation."""
        return self.inquiry.once("grouping", lambda: Grouping(self.machine))

    @_shared
    def recomputed(self) -> Recomputed:
        """The groups that isolation as it is now would give."""
        return self.inquiry.once("recomputed", lambda: recompute(self.machine))

    @_shared
    def groups(self) -> tuple[Group, ...]:
        """The groups to look at, in the machine's order."""
        if not self.targets:
            return self.machine.groups
        wanted = {target.group.id for target in self.targets if target.group}
        if len(wanted) == 1:  # as the summary asks, group by group
            only = self.machine.group(*wanted)
            return () if only is None else (only,)
        return tuple(group for group in self.machine.groups if group.id in wanted)

    @_shared
    def target_devices(self) -> tuple[Device, ...]:
        """The devices asked for one by one; those of ``group:N`` are not."""
        return tuple(t.device for t in self.targets if t.device is not None)

    @_shared
    def whole_groups(self) -> frozenset[str]:
        """The ids of the groups asked for as ``group:N``."""
        return frozenset(t.group.id for t in self.targets if not t.device and t.group)

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` makes of the case, which is made once under a name."""
        if name not in self._kept:
            self._kept[name] = make()
        return cast("T", self._kept[name])

    @_shared
    def _kept(self) -> dict[Hashable, object]:
        return {}

    def ids(self, module: str) -> tuple[IdSetting, ...]:
        """Return the ids that are configured for a module (named with "_")."""
        settings = self.machine.settings
        return self.inquiry.once(("ids", module), lambda: id_settings(settings, module))

    def targets_in(self, group: Group) -> tuple[Device, ...]:
        """Return the members of a group that were asked for one by one."""
        return tuple(d for d in group.devices if self.is_target(d))

    def is_target(self, device: Device) -> bool:
        """Say whether this very device was asked for."""
        return device.id in self._target_of

    def target_of(self, device: Device) -> Target | None:
        """Return the target that is this very device, ``None`` if none is."""
        return self._target_of.get(device.id)

    @_shared
    def _target_of(self) -> dict[DeviceId, Target]:
        return {t.device.id: t for t in self.targets if t.device is not None}

    def asked_for(self, device: Device) -> bool:
        """Say whether a device was asked for, by itself or with its group."""
        if self.is_target(device):
            return True
        group = self.machine.group_of(device)
        return group is not None and group.id in self.whole_groups

    @_shared
    def asked(self) -> tuple[Device, ...]:
        """The devices asked for, by themselves or with their group."""
        alone = (t.device for t in self.targets if t.group is None)
        found = [d for g in self.groups for d in g.devices if self.asked_for(d)]
        found += [device for device in alone if device is not None]
        return tuple({device.id: device for device in found}.values())

    @_shared
    def wanted(self) -> tuple[Device, ...]:
        """Those asked for that may go: devices named, and endpoints of groups named."""
        return tuple(
            d for d in self.asked if self.is_target(d) or d.is_bridge is not True
        )

    def concerns(self, device: Device) -> bool:
        """Say whether the device is looked at: asked for, or in a target's group."""
        group = self.machine.group_of(device)
        in_group = group is not None and group.id in self._group_ids
        return not self.targets or in_group or self.is_target(device)

    @_shared
    def _group_ids(self) -> frozenset[str]:
        return frozenset(group.id for group in self.groups)

    def role(self, device: Device) -> Role:
        """Classify a device; unknown where the possible kernels differ."""
        return self.inquiry.role(device)

    def having(self, group: Group, *wanted: Role) -> tuple[Device, ...]:
        """Return the group's members of these roles."""
        return tuple(d for d in group.devices if self.role(d) in wanted)

    def handed_over(self, group: Group) -> bool:
        """Say whether VFIO is to have the group: asked for, or a member on vfio.

        What DPDK uses by other means asks nothing of its group.
        """
        found = self._handed_over.get(group.id)
        if found is None:
            found = self._handed_over[group.id] = self._is_handed_over(group)
        return found

    @_shared
    def _handed_over(self) -> dict[str, bool]:
        return {}

    def _is_handed_over(self, group: Group) -> bool:
        if self.purpose is Purpose.DPDK and self.targets:
            return any(
                not self.without_vfio(t) for t in self._targets_of.get(group.id, ())
            )
        return bool(self.targets) or bool(self.having(group, Role.VFIO))

    @_shared
    def _targets_of(self) -> dict[str, list[Target]]:
        found: dict[str, list[Target]] = {}
        for target in self.targets:
            if target.group is not None:
                found.setdefault(target.group.id, []).append(target)
        return found

    @_shared
    def together(self) -> tuple[tuple[Device, ...], ...]:
        """What goes to user space together: whole groups, devices without one.

        Without targets these are the groups that vfio has part of.
        """
        groups = [group.devices for group in self.groups if self.handed_over(group)]
        alone = [t for t in self.targets if t.group is None]
        taken = [t.devices for t in alone if not self.without_vfio(t)]
        return (*groups, *taken)

    def without_vfio(self, target: Target) -> bool:
        """Say whether the target is used by other means than VFIO."""
        return bool(self.besides_vfio(target))

    def besides_vfio(self, target: Target) -> tuple[Device, ...]:
        """Return what of a target DPDK uses by other means than VFIO, or none of it.

        That are devices on a driver of UIO, and those that it works through a driver
        of the kernel for, whichever they are on. Of a whole group every device that
        has a driver has to be so; where none has, the first stands for all.
        """
        if self.purpose is not Purpose.DPDK:
            return ()
        used = target.devices
        if target.device is None:
            ends = tuple(d for d in used if d.is_bridge is not True)
            used = tuple(d for d in ends if d.driver is not None) or ends[:1]
        fits = all(is_on_uio(d) or works_through(d) is not None for d in used)
        return used if fits else ()

    def needs_no_iommu(self, target: Target) -> bool:
        """Say whether DPDK uses a target through drivers that map memory themselves."""
        used = self.besides_vfio(target)
        return bool(used) and all(works_through(d) is not None for d in used)

    @property
    def may_crash(self) -> bool:
        """Say whether the kernel may be one without DMA ownership (before v5.19)."""
        return any(not era.dma_owner for era in self.semantics.eras)

    def under(self, about: About) -> Case:
        """Return the case as a rule looks at it."""
        view = Case(self.inquiry, self.targets, self.purpose, self.expectations, about)
        object.__setattr__(view, "whole", self.whole or self)
        return view

    def share_group(self, one: Device, other: Device) -> bool:
        """Say whether two devices are in one group."""
        group = self.machine.group_of(one)
        return group is not None and self.machine.group_of(other) is group

    def neighbours(self, device: Device) -> tuple[Device, ...]:
        """Return the other members of the device's group, the first 64 of more.

        Each member's findings name its neighbours: all of them would be the square of
        the group.
        """
        group = self.machine.group_of(device)
        some = group.devices[: _MOST_OTHERS + 1] if group else ()
        return tuple(d for d in some if d is not device)[:_MOST_OTHERS]

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
        cures: Iterable[Cure] = (),
    ) -> Finding:
        """Make a finding of the rule that looks at the case: the only way to make one.

        Args:
            subject: what it is about: a device, a group with all its members, an
                address where no device is, or with ``None`` the host.
            message: one sentence or two, plain text.
            remedy: prose that says what would help; no command is written in it.
            others: which devices it is about as well, such as ``neighbours()``.
            severity: the rule's own, if not given.
            certainty: what it rests on.
            references: the rule's own, if not given.
            step: in a few words, as an order, what an error asks for first.
            final: whether no step on this machine as it is takes the error away.
            cures: what would help, as data.

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
        devices = (
            d.id if isinstance(d, Device) else DeviceId.of_pci(d)
            for d in (*first, *others)
        )
        cited = self.about.references if references is None else references
        return Finding(
            rule=self.about.id,
            severity=severity or self.about.severity,
            certainty=certainty,
            group=group.id if group else None,
            devices=tuple(dict.fromkeys(devices)),
            message=message,
            remedy=remedy,
            references=tuple(map(str, cited)),
            step=step,
            final=final,
            cures=tuple(cures),
        )
