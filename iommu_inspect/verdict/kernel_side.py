"""The kernel's part of a verdict: what it would answer, whatever the rules say.

It stands also where somebody ignores a rule: a person can do without our advice, and
not without the kernel's yes.
"""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.kernel.answers import UNKNOWN, Answer
from iommu_inspect.kernel.ownership import iommufd
from iommu_inspect.kernel.ownership.attaching import ATTACH_DEVICE
from iommu_inspect.kernel.ownership.operations import (
    GET_STATUS,
    SET_CONTAINER,
    SET_IOMMU,
)
from iommu_inspect.kernel.ownership.roles import Role
from iommu_inspect.kernel.ownership.uio import reaches_memory, works_through
from iommu_inspect.model.asked.target import Target
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known, unread
from iommu_inspect.model.group import Group
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.verdict.outcome import Verdict, of_answer, worst

__all__ = ["Answers", "answers", "of_host", "of_target"]

Answers = tuple[tuple[str, Answer], ...]


def answers(case: Case, target: Target) -> Answers:
    """Return the operations that the purpose needs, each with the kernel's answer."""
    if case.purpose is Purpose.ATTACH:
        asked = (case.inquiry.attach(d) for d in target.devices)
        return tuple((ATTACH_DEVICE, answer) for answer in dict.fromkeys(asked))
    if target.group is None or case.without_vfio(target):
        return ()
    return _of_group(case, target.group)


def of_target(case: Case, target: Target, found: Answers) -> Verdict:
    """Say what the kernel's answers for a target come to."""
    by_answers = worst(of_answer(answer) for _, answer in found)
    if case.purpose is Purpose.ATTACH:
        return by_answers if found else Verdict.UNKNOWN
    if case.without_vfio(target):
        return worst(_besides_vfio(case, d) for d in case.besides_vfio(target))
    if target.group is None:
        untold = target.device is None or not known(target.device.group)
        untold = untold or not case.machine.groups_known
        if case.purpose is Purpose.DPDK and not untold and target.device is not None:
            untold = not known(target.device.driver)  # UIO needs no group
        return Verdict.UNKNOWN if untold else Verdict.BLOCKED
    if case.machine.vfio_groups is not True:
        wanted = target.group.devices if target.device is None else (target.device,)
        untold = target.device is None and not target.group.whole
        by_nodes = Verdict.UNKNOWN if untold else _of_nodes(case, wanted)
        by_answers = by_nodes or by_answers
    if target.device is None:
        return by_answers
    return worst((by_answers, _of_driver(target.device)))


def of_host(case: Case) -> Verdict:
    """Ask the kernel about every group that something of is on vfio already."""
    if case.purpose is Purpose.ATTACH:
        return Verdict.READY
    used = [group for group in case.groups if case.having(group, Role.VFIO)]
    if case.machine.vfio_groups is not True:
        members = [device for group in used for device in group.devices]
        return _of_nodes(case, members) or Verdict.READY
    return worst(of_answer(a) for group in used for _, a in _of_group(case, group))


def _of_nodes(case: Case, devices: Iterable[Device]) -> Verdict | None:
    """Say what iommufd answers for those that a vfio driver has, if any.

    Whether DPDK knows how to ask it hangs on its release.
    """
    on_vfio = {device.id: has_vfio_driver(device) for device in devices}
    nodes = [device for device in devices if on_vfio[device.id]]
    if None in on_vfio.values() or (nodes and case.purpose is Purpose.DPDK):
        return Verdict.UNKNOWN
    if not nodes:
        return None
    found = worst(
        of_answer(case.inquiry.by_iommufd(device, operation))
        for device in nodes
        for operation in iommufd.ASK
    )
    # Where it is not told whether there are groups, those may serve in its place.
    perhaps = case.machine.vfio_groups is None and found is Verdict.BLOCKED
    return Verdict.UNKNOWN if perhaps else found


def _of_group(case: Case, group: Group) -> Answers:
    return tuple(
        (operation, _answer(case, group, operation))
        for operation in _operations(case, group)
    )


def _answer(case: Case, group: Group, operation: str) -> Answer:
    """Ask the kernel; which type DPDK asks for hangs on the mode."""
    mode = case.machine.vfio.enable_unsafe_noiommu_mode
    of_dpdk = case.purpose is Purpose.DPDK and group.is_noiommu is True
    if operation == SET_IOMMU and of_dpdk and unread(mode):
        because = "whether vfio's no-IOMMU mode is allowed could not be read"
        return Answer(UNKNOWN, "no-iommu-mode", because)
    return case.inquiry.operation(group, operation)


def _operations(case: Case, group: Group) -> tuple[str, ...]:
    """DPDK asks a no-IOMMU group for VFIO_NOIOMMU_IOMMU, not for type 1.

    That type is served as long as the mode is allowed (``vfio_noiommu_ioctl()`` in
    drivers/vfio/container.c, v6.12).
    """
    allowed = case.machine.vfio.enable_unsafe_noiommu_mode is True
    if case.purpose is Purpose.DPDK and group.is_noiommu is True and allowed:
        return (GET_STATUS, SET_CONTAINER)
    return (GET_STATUS, SET_CONTAINER, SET_IOMMU)


def _of_driver(device: Device) -> Verdict:
    """VFIO gives a descriptor only of a device that is on a vfio driver itself."""
    bound = has_vfio_driver(device)
    if bound is None:
        return Verdict.UNKNOWN
    return Verdict.READY if bound else Verdict.BLOCKED


def _besides_vfio(case: Case, device: Device) -> Verdict:
    """Say whether DPDK can use a device that it does not have by VFIO.

    The kernel's part is judged, as everywhere: what libraries DPDK needs for a device
    on the kernel's driver is no matter of the kernel's.
    """
    through = works_through(device)
    if through is not None:
        if not known(device.driver):
            return Verdict.UNKNOWN
        return Verdict.READY if device.driver == through else Verdict.BLOCKED
    reaches = reaches_memory(case.machine, device)
    if reaches is None:
        return Verdict.UNKNOWN
    return Verdict.READY if reaches else Verdict.BLOCKED
