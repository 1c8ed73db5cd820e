"""What the kernel would answer to each ownership operation, asked right now.

Every answer for a machine that was read supposes that nobody holds the group at this
moment: sysfs does not show it, and opening the group to find out would disturb its
user. Hypothetical steps know who holds a group (``Group.held``).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from iommu_inspect.kernel.answers import (
    NOT_APPLICABLE,
    OK,
    UNKNOWN,
    Answer,
    across_eras,
)
from iommu_inspect.kernel.citations import (
    CLAIM_BY_VFIO,
    DMA_OWNER_BUSES,
    DMA_OWNER_INTERFACES,
    PROPOSED_SINGLE_DRIVER,
    SINGLETON,
    VFIO_VIABLE_REMOVED,
)
from iommu_inspect.kernel.eras import Era, Semantics
from iommu_inspect.kernel.ownership.mappings import refused_attach, refused_claim
from iommu_inspect.kernel.ownership.roles import GroupOwnership, Role
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device, Group, Held, InterruptRemapping, Machine

__all__ = [
    "ATTACH_DEVICE",
    "CLAIM",
    "GET_STATUS",
    "GROUP_OPERATIONS",
    "SET_CONTAINER",
    "SET_IOMMU",
    "Prediction",
    "attach_device",
    "group_operation",
    "predict",
]

ATTACH_DEVICE = "iommu_attach_device"
CLAIM = "iommu_group_claim_dma_owner"
GET_STATUS = "VFIO_GROUP_GET_STATUS"
SET_CONTAINER = "VFIO_GROUP_SET_CONTAINER"
SET_IOMMU = "VFIO_SET_IOMMU"
GROUP_OPERATIONS = (CLAIM, GET_STATUS, SET_CONTAINER, SET_IOMMU)


@dataclass(frozen=True, slots=True)
class Prediction:
    """One operation, what it is asked of, and the kernel's answer."""

    operation: str
    target: str
    group: str | None
    answer: Answer


def predict(machine: Machine, semantics: Semantics) -> Iterator[Prediction]:
    """Yield the answer to every operation for every group and device.

    Groups come in their order, each with its group operations and then its
    devices; devices without a group come last.
    """
    for group in machine.groups:
        for operation in GROUP_OPERATIONS:
            answer = group_operation(machine, group, operation, semantics)
            yield Prediction(operation, group.id, group.id, answer)
        for device in group.devices:
            answer = attach_device(machine, device, semantics)
            yield Prediction(ATTACH_DEVICE, device.address, group.id, answer)
    for device in machine.ungrouped:
        answer = attach_device(machine, device, semantics)
        yield Prediction(ATTACH_DEVICE, device.address, None, answer)


def attach_device(machine: Machine, device: Device, semantics: Semantics) -> Answer:
    """Answer ``iommu_attach_device()`` with a fresh paging domain."""
    group = machine.group_of(device)
    if group is None and (not known(device.group) or not machine.groups_known):
        return Answer(
            UNKNOWN, "no-iommu", "the source does not tell the device's group"
        )
    if group is None:
        return Answer("-ENODEV", "no-iommu", f"{device.address} has no IOMMU group")
    return across_eras(semantics, lambda era: _attach(machine, device, group, era))


def _attach(machine: Machine, device: Device, group: Group, era: Era) -> Answer:
    count = len(group.devices)
    if not group.whole:
        return Answer(UNKNOWN, "singleton-assumption", _NOT_WHOLE)
    if era.single_driver:
        refused = _refused_by_single_driver(device, group, era)
        if refused is not None:
            return refused
    elif era.singleton_check and count != 1:
        return Answer(
            "-EINVAL",
            "singleton-assumption",
            f"the group has {count} devices, one is allowed",
            (SINGLETON,),
        )
    if group.is_noiommu is not False:
        return Answer(UNKNOWN, "no-iommu-mode", _NO_IOMMU_BEHIND)
    if _is_mediated(group):
        return Answer(UNKNOWN, "no-iommu-mode", _MEDIATED)
    if group.held is not Held.FREE:
        return Answer("-EBUSY", "mixed-ownership", _HELD[group.held])
    refused = refused_attach(machine, group, era)
    if refused is not None:
        return refused
    if era.single_driver:
        return Answer(
            OK,
            "proposed-single-driver",
            "no other device here is on a driver of the host",
            (PROPOSED_SINGLE_DRIVER,),
        )
    if not era.singleton_check:
        return Answer(
            OK, "singleton-assumption", "this kernel does not check the group"
        )
    return Answer(
        OK,
        "singleton-assumption",
        "the device is alone in its group",
        (SINGLETON,),
    )


def _refused_by_single_driver(device: Device, group: Group, era: Era) -> Answer | None:
    """Apply the proposal with the device's own driver as the caller."""
    sharers = GroupOwnership.of(group, era)
    others = [d for d in sharers.having(Role.KERNEL) if d is not device]
    rule, cite = "proposed-single-driver", (PROPOSED_SINGLE_DRIVER,)
    if others:
        return Answer("-EBUSY", rule, f"{_bound(others)} as well", cite)
    unknown = [d for d in sharers.having(Role.UNKNOWN) if d is not device]
    if unknown:
        return Answer(UNKNOWN, rule, _cannot_tell(unknown), cite)
    return None


def group_operation(
    machine: Machine, group: Group, operation: str, semantics: Semantics
) -> Answer:
    """Answer one of ``GROUP_OPERATIONS`` for a group."""
    ask = _ASK[operation]
    return across_eras(semantics, lambda era: ask(machine, group, era))


def _claim(machine: Machine, group: Group, era: Era) -> Answer:
    if not era.dma_owner:
        return Answer(
            NOT_APPLICABLE,
            "mixed-ownership",
            "this kernel has no DMA ownership",
            (DMA_OWNER_INTERFACES,),
        )
    if group.is_noiommu is not False:
        return Answer(UNKNOWN, "no-iommu-mode", _NO_IOMMU_BEHIND)
    if _is_mediated(group):
        return Answer(UNKNOWN, "no-iommu-mode", _MEDIATED)
    return _refused_claim(machine, group, era) or Answer(
        OK,
        "mixed-ownership",
        "no driver of the host is bound here",
        (DMA_OWNER_BUSES,),
    )


def _refused_claim(machine: Machine, group: Group, era: Era) -> Answer | None:
    """Return why the claim does not succeed, ``None`` where it does."""
    if group.held is Held.BY_USER:
        return Answer("-EPERM", "mixed-ownership", _HELD[group.held], (CLAIM_BY_VFIO,))
    sharers = GroupOwnership.of(group, era)
    blockers = sharers.having(Role.KERNEL)
    if blockers:
        return Answer("-EPERM", "mixed-ownership", _bound(blockers), (DMA_OWNER_BUSES,))
    unknown = sharers.having(Role.UNKNOWN)
    if unknown:
        return Answer(
            UNKNOWN, "mixed-ownership", _cannot_tell(unknown), (DMA_OWNER_BUSES,)
        )
    if not group.whole:
        return Answer(UNKNOWN, "mixed-ownership", _NOT_WHOLE)
    if group.held is Held.BY_KERNEL_DOMAIN:
        return Answer("-EBUSY", "mixed-ownership", _HELD[group.held])
    return refused_claim(machine, group, era)


def _get_status(_machine: Machine, group: Group, era: Era) -> Answer:
    unopened = _cannot_open(group, era)
    if unopened is not None:
        return unopened
    sharers = GroupOwnership.of(group, era)
    cite = (VFIO_VIABLE_REMOVED,)
    if group.is_noiommu is True:
        return Answer("viable", "no-iommu-mode", "vfio made this group up itself")
    blockers = sharers.having(Role.KERNEL)
    if blockers:
        return Answer("not-viable", "mixed-ownership", _bound(blockers), cite)
    unknown = sharers.having(Role.UNKNOWN)
    if unknown:
        return Answer(UNKNOWN, "mixed-ownership", _cannot_tell(unknown), cite)
    if not group.whole:
        return Answer(UNKNOWN, "mixed-ownership", _NOT_WHOLE)
    return Answer(
        "viable",
        "mixed-ownership",
        "no driver of the host is bound here",
        cite,
    )


def _cannot_open(group: Group, era: Era) -> Answer | None:
    """Return why ``/dev/vfio/<group>`` cannot be opened, ``None`` if it can."""
    sharers = GroupOwnership.of(group, era)
    if sharers.having(Role.VFIO):
        if group.held is Held.BY_USER:
            return Answer("-EBUSY", "not-on-vfio", _HELD[group.held])
        return None
    rule = "not-on-vfio"
    # A member whose driver is not known may be bound to a vfio driver.
    unknown = [d for d in group.devices if not known(d.driver)]
    unknown += [d for d in sharers.having(Role.UNKNOWN) if d not in unknown]
    if unknown:
        return Answer(UNKNOWN, rule, _cannot_tell(unknown))
    if not group.whole:
        return Answer(UNKNOWN, rule, _NOT_WHOLE)
    return Answer(
        "-ENOENT",
        rule,
        f"no device here is on a vfio driver: there is no /dev/vfio/{group.id}",
    )


def _set_container(machine: Machine, group: Group, era: Era) -> Answer:
    unopened = _cannot_open(group, era)
    if unopened is not None:
        return unopened
    if group.is_noiommu is True:
        return Answer(OK, "no-iommu-mode", "a no-IOMMU group is not claimed")
    if not era.dma_owner:
        return Answer(
            OK,
            "mixed-ownership",
            "this kernel checks the group's viability later, when a device is opened",
            (VFIO_VIABLE_REMOVED,),
        )
    refused = _refused_claim(machine, group, era)
    if refused is not None:
        return refused
    return Answer(OK, "mixed-ownership", "the claim succeeds", (CLAIM_BY_VFIO,))


def _set_iommu(machine: Machine, group: Group, era: Era) -> Answer:
    unopened = _cannot_open(group, era)
    if unopened is not None:
        return unopened
    container = _set_container(machine, group, era)
    if container.result == UNKNOWN:
        return container
    if container.result != OK:
        return Answer(
            "-EINVAL",
            container.rule,
            f"the container is empty: SET_CONTAINER returned {container.result}",
            container.references,
        )
    if not known(group.is_noiommu):
        return Answer(UNKNOWN, "no-iommu-mode", _NO_IOMMU_BEHIND)
    if group.is_noiommu is True:
        return Answer(
            "-ENODEV",
            "no-iommu-mode",
            "a no-IOMMU group takes only the VFIO_NOIOMMU_IOMMU type",
        )
    return (
        _refused_type(machine)
        or _refused_domain(group)
        or refused_attach(machine, group, era)
        or _refused_interrupts(machine, group)
        or _accepted(machine)
    )


def _refused_domain(group: Group) -> Answer | None:
    """Before v5.19 the group's domain is looked at only when it is attached."""
    if group.held is Held.FREE:
        return None
    return Answer("-EBUSY", "mixed-ownership", _HELD[group.held])


def _refused_type(machine: Machine) -> Answer | None:
    """Look for the module that serves type 1; nothing loads it on demand."""
    if machine.vfio.type1_loaded is True:
        return None
    if machine.vfio.type1_loaded is False and "iommufd" in machine.kernel.features:
        because = "iommufd may serve /dev/vfio/vfio in place of vfio_iommu_type1"
        return Answer(UNKNOWN, "not-on-vfio", because)
    if machine.vfio.type1_loaded is False:
        return Answer("-ENODEV", "not-on-vfio", "vfio_iommu_type1 is not loaded")
    return Answer(
        UNKNOWN,
        "not-on-vfio",
        "the source does not tell whether vfio_iommu_type1 is loaded",
    )


def _refused_interrupts(machine: Machine, group: Group) -> Answer | None:
    rule = "interrupt-remapping"
    remapping = machine.interrupt_remapping
    if machine.vfio.type1_allow_unsafe_interrupts is True:
        return None
    if remapping is InterruptRemapping.ON:
        if not any(_is_behind_vmd(device) for device in group.devices):
            return None
        return Answer(
            UNKNOWN,
            rule,
            "whether interrupts behind a VMD count as remapped differs by kernel",
        )
    if not known(remapping):
        return Answer(
            UNKNOWN, rule, "the source does not tell whether interrupts are remapped"
        )
    return Answer(
        "-EPERM",
        rule,
        "interrupts are not remapped, and unsafe ones are not allowed",
    )


def _is_behind_vmd(device: Device) -> bool:
    """Behind a VMD a PCI root hangs below a PCI function."""
    return device.is_below_vmd


def _is_mediated(group: Group) -> bool:
    return bool(group.devices) and all(d.bus == "mdev" for d in group.devices)


def _accepted(machine: Machine) -> Answer:
    remapped = machine.interrupt_remapping is InterruptRemapping.ON
    because = "unsafe interrupts are allowed"
    if remapped:
        because = "interrupts are remapped"
    return Answer(OK, "interrupt-remapping", because)


def _bound(devices: tuple[Device, ...] | list[Device]) -> str:
    pairs = [f"{device.address} is bound to {device.driver}" for device in devices]
    return ", ".join(pairs)


def _cannot_tell(devices: tuple[Device, ...] | list[Device]) -> str:
    names = ", ".join(device.address for device in devices)
    return f"the source does not tell what kind of driver is bound to {names}"


_MEDIATED = "a mediated device's group is one that vfio makes up"
_NOT_WHOLE = "the source does not show all members of the group"
_HELD = {
    Held.BY_USER: "user space holds the group",
    Held.BY_KERNEL_DOMAIN: "a driver of the host attached a domain of its own",
}
_NO_IOMMU_BEHIND = "there may be no IOMMU behind this group"
_ASK = {
    CLAIM: _claim,
    GET_STATUS: _get_status,
    SET_CONTAINER: _set_container,
    SET_IOMMU: _set_iommu,
}
