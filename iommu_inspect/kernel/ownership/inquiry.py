"""One machine under the rules that may apply: each question is answered once.

Roles, answers and ownership of a group are asked for by many rules, by the verdict and
by the plan. They depend on nothing but the machine and the rules, which do not change.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator
from functools import cached_property
from typing import TypeVar, cast

from iommu_inspect.kernel.answers import UNKNOWN, Answer, across_eras
from iommu_inspect.kernel.eras import Era, Proposal, Semantics
from iommu_inspect.kernel.ownership import iommufd
from iommu_inspect.kernel.ownership.attaching import ATTACH_DEVICE, attach
from iommu_inspect.kernel.ownership.device_fd import GET_DEVICE_FD, get_device_fd
from iommu_inspect.kernel.ownership.in_place_of_container import (
    GET_BY_IOMMUFD,
    SET_IOMMUFD,
    get_by_iommufd,
    set_iommufd,
)
from iommu_inspect.kernel.ownership.operations import ASK, GROUP_OPERATIONS
from iommu_inspect.kernel.ownership.proposals import ATTACH_SHARED, attach_shared
from iommu_inspect.kernel.ownership.roles import (
    GroupOwnership,
    Ownership,
    Role,
    role,
    summed,
)
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.topology import Topology

__all__ = ["Inquiry", "Owned", "Prediction"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Prediction:
    """One operation, the device or the id of the group it is asked of, the answer."""

    operation: str
    target: DeviceId | str
    group: str | None
    answer: Answer


@dataclass(frozen=True, slots=True)
class Owned:
    """A group, and who owns it."""

    group: Group
    ownership: Ownership


class Inquiry:
    """What the kernels that may be meant would answer about one machine."""

    def __init__(self, machine: Machine, semantics: Semantics) -> None:
        self.machine = machine
        self.semantics = semantics
        self._owners: dict[tuple[str, Era], GroupOwnership] = {}
        self._roles: dict[DeviceId, Role] = {}
        self._answers: dict[tuple[str, DeviceId | str], Answer] = {}
        self._kept: dict[Hashable, object] = {}

    @cached_property
    def topology(self) -> Topology:
        """What is above and below the machine's devices."""
        return Topology(self.machine)

    def once(self, name: Hashable, make: Callable[[], T]) -> T:
        """Return what ``make`` makes of the machine, which is made once under a name.

        For those who ask many times what depends on nothing else.
        """
        if name not in self._kept:
            self._kept[name] = make()
        return cast("T", self._kept[name])

    def owners(self, group: Group, era: Era) -> GroupOwnership:
        """Return a group's members by what they are under one era's rules."""
        found = self._owners.get((group.id, era))
        if found is None:
            found = self._owners[group.id, era] = GroupOwnership.of(group, era)
        return found

    def role(self, device: Device) -> Role:
        """Classify a device; unknown where the possible kernels differ."""
        found = self._roles.get(device.id)
        if found is None:
            roles = {role(device, era) for era in self.semantics.eras}
            found = roles.pop() if len(roles) == 1 else Role.UNKNOWN
            self._roles[device.id] = found
        return found

    def ownership(self, group: Group) -> Ownership:
        """Return who owns a group; unknown where the possible kernels differ."""
        return summed(self.owners(group, era) for era in self.semantics.eras)

    def owned(self, group: Group) -> Owned:
        """Return a group with who owns it."""
        return Owned(group, self.ownership(group))

    def operation(self, group: Group, operation: str) -> Answer:
        """Answer one of ``GROUP_OPERATIONS`` for a group."""
        answer = self._answers.get((operation, group.id))
        if answer is None:
            ask = ASK[operation]
            answer = self._answers[operation, group.id] = across_eras(
                self.semantics,
                lambda era: ask(self.machine, self.owners(group, era), era),
            )
        return answer

    def attach(self, device: Device) -> Answer:
        """Answer ``iommu_attach_device()`` with a fresh paging domain."""
        answer = self._answers.get((ATTACH_DEVICE, device.id))
        if answer is None:
            answer = self._answers[ATTACH_DEVICE, device.id] = self._attach(device)
        return answer

    def _attach(self, device: Device) -> Answer:
        group = self.machine.group_of(device)
        if group is not None:
            return across_eras(
                self.semantics,
                lambda era: attach(self.machine, device, self.owners(group, era), era),
            )
        if not known(device.group) or not self.machine.groups_known:
            because = "the source does not tell the device's group"
            return Answer(UNKNOWN, "no-iommu", because)
        return Answer("-ENODEV", "no-iommu", f"{device.address} has no IOMMU group")

    def attach_shared(self, device: Device) -> Answer:
        """Answer the proposed ``iommu_attach_device_shared()``."""
        group = self.machine.group_of(device)
        if group is None and (not known(device.group) or not self.machine.groups_known):
            because = "the source does not tell the device's group"
            return Answer(UNKNOWN, "no-iommu", because)
        return across_eras(
            self.semantics,
            lambda era: attach_shared(
                device, None if group is None else self.owners(group, era), era
            ),
        )

    def by_iommufd(self, device: Device, operation: str) -> Answer:
        """Answer one of ``iommufd.ASK`` for a device of a group."""
        group, ask = self.machine.group_of(device), iommufd.ASK[operation]
        if group is None:
            return iommufd.without_group(device)
        return across_eras(
            self.semantics,
            lambda era: ask(self.machine, device, self.owners(group, era), era),
        )

    def device_fd(self, device: Device, group: Group) -> Answer:
        """Answer VFIO_GROUP_GET_DEVICE_FD for a device of a group."""
        return across_eras(
            self.semantics,
            lambda era: get_device_fd(
                self.machine, device, self.owners(group, era), era
            ),
        )

    def set_iommufd(self, group: Group) -> Answer:
        """Answer VFIO_GROUP_SET_CONTAINER with an iommufd."""
        return across_eras(
            self.semantics,
            lambda era: set_iommufd(self.machine, self.owners(group, era), era),
        )

    def device_fd_by_iommufd(self, device: Device, group: Group) -> Answer:
        """Answer VFIO_GROUP_GET_DEVICE_FD of a group that was given an iommufd."""
        return across_eras(
            self.semantics,
            lambda era: get_by_iommufd(
                self.machine, device, self.owners(group, era), era
            ),
        )

    def predictions(self, *, shared: bool = False) -> Iterator[Prediction]:
        """Yield the answer to every operation for every group and device.

        Groups come in their order, each with its group operations and then its
        devices; devices without a group come last. Of a device's own descriptor a
        group is asked that a vfio driver has a member of, but not of bridges, and asked
        again with an iommufd where the kernel has it; iommufd itself where a device
        has a node. ``shared`` asks for the proposed call too; it is
        asked for where its own text is.
        """
        shared |= any(e.proposal is Proposal.SHARED for e in self.semantics.eras)
        for group in self.machine.groups:
            for name in GROUP_OPERATIONS:
                answer = self.operation(group, name)
                yield Prediction(name, group.id, group.id, answer)
            if any(has_vfio_driver(device) for device in group.devices):
                yield from self._of_container(group)
            for device in group.devices:
                yield from self._of_device(device, group.id, shared=shared)
        for device in self.machine.ungrouped:
            yield from self._of_device(device, None, shared=shared)

    def _of_container(self, group: Group) -> Iterator[Prediction]:
        """Answer for its devices' descriptors, by a container and by an iommufd."""
        of_iommufd = "iommufd" in self.machine.kernel.features
        if of_iommufd:
            answer = self.set_iommufd(group)
            yield Prediction(SET_IOMMUFD, group.id, group.id, answer)
        for device in group.devices:
            if device.is_bridge is True:
                continue
            answer = self.device_fd(device, group)
            yield Prediction(GET_DEVICE_FD, device.id, group.id, answer)
            if of_iommufd:
                answer = self.device_fd_by_iommufd(device, group)
                yield Prediction(GET_BY_IOMMUFD, device.id, group.id, answer)

    def _of_device(
        self, device: Device, group: str | None, *, shared: bool
    ) -> Iterator[Prediction]:
        yield Prediction(ATTACH_DEVICE, device.id, group, self.attach(device))
        if device.vfio_cdev is True:
            for name in iommufd.ASK:
                answer = self.by_iommufd(device, name)
                yield Prediction(name, device.id, group, answer)
        if shared:
            answer = self.attach_shared(device)
            yield Prediction(ATTACH_SHARED, device.id, group, answer)
