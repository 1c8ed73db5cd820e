"""What writing a device to a driver's ``bind`` file returns.

The driver is taken to have the device's ids, or ``driver_override`` to name it.
Whether the driver itself likes the device cannot be known.
"""

from __future__ import annotations

from dataclasses import replace

from iommu_inspect.kernel.answers import HOST_CRASH, OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import DENYLIST, DMA_COHERENCE, DMA_OWNER_BUSES
from iommu_inspect.kernel.coherency import incoherent_iommu
from iommu_inspect.kernel.denylist import denied_in
from iommu_inspect.kernel.drivers import ENFORCING_BUSES
from iommu_inspect.kernel.eras import Era, version_within
from iommu_inspect.kernel.ownership.proposals import PROPOSED
from iommu_inspect.kernel.ownership.roles import GroupOwnership, Role, role
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import UIO_DRIVERS, VFIO_DRIVERS, normalised
from iommu_inspect.model.fact import Missing, known, unread, value_or
from iommu_inspect.model.group import Group, Held
from iommu_inspect.model.machine import Machine

__all__ = ["NO_IDS", "bind_answer", "refused_by_override"]

_RULE = "mixed-ownership"
_ERROR_SINCE = (5, 14)
# They take what new_id, a parameter or an override gives them, and nothing else.
NO_IDS = UIO_DRIVERS | {"pci_stub"}


def bind_answer(machine: Machine, device: Device, driver: str, era: Era) -> Answer:
    """Answer the binding of a driver to a device, in the group's present state."""
    if not known(device.driver):
        return Answer(UNKNOWN, _RULE, "the source does not tell which driver is bound")
    if device.driver is not None:
        because = f"{device.driver} is bound already"
        return _refused("-EBUSY", machine, era, _RULE, because)
    group = machine.group_of(device)
    if normalised(driver) in VFIO_DRIVERS:
        refused = _refused_by_vfio(machine, device, group, era)
        if refused is None and normalised(driver) == "vfio_pci":
            refused = _denied(machine, device, era)
        if refused is not None:
            return refused
    bound = role(replace(device, driver=driver, vfio_devices=()), era)
    if group is None or group.held is Held.FREE or bound in (Role.VFIO, Role.MANAGED):
        return Answer(OK, _RULE, "nothing keeps it from binding")
    if bound is Role.UNKNOWN:
        return Answer(UNKNOWN, _RULE, f"what kind of driver {driver} is cannot be told")
    return _in_held_group(device, group, era)


def refused_by_override(machine: Machine, device: Device, driver: str) -> Answer | None:
    """Answer for a driver that does not match because of ``driver_override``.

    Where one is set, pci_match_device() (v7: device_match_driver_override()) takes no
    other driver, and bind_store() returns what it began with.
    """
    rule, override = "driver-override", device.driver_override
    if override == driver:
        return None
    if isinstance(override, str):
        return Answer("-ENODEV", rule, f"driver_override names {override}")
    if not known(override):
        return Answer(UNKNOWN, rule, "the source does not tell its driver_override")
    if (normalised(driver), device.ids.pair) in machine.aftermath.given_ids:
        return None
    if normalised(driver) in VFIO_DRIVERS | NO_IDS:
        because = f"no driver_override names {driver}, which has few ids of its own"
        return Answer(UNKNOWN, rule, because)
    return None


def _refused(errno: str, machine: Machine, era: Era, rule: str, because: str) -> Answer:
    """Answer for a driver whose probe refuses a device with ``errno``.

    Not every kernel before v5.19 hands that on to who wrote to ``bind``: 5.10 says
    -ENODEV. It does since "driver core: Flow the return code from ->probe() through to
    sysfs bind", in v5.14.
    """
    version = version_within(value_or(machine.kernel.release, ""), era)
    told = version is not None and version >= _ERROR_SINCE
    result = errno if era.dma_owner or told else UNKNOWN
    return Answer(result, rule, because, probe=errno)


def _refused_by_vfio(
    machine: Machine, device: Device, group: Group | None, era: Era
) -> Answer | None:
    if device.is_bridge is True:
        because = "vfio-pci does not take bridges"
        return _refused("-EINVAL", machine, era, "not-on-vfio", because)
    functions = device.pci.virtfns
    if not known(functions) and functions is not Missing.ABSENT:
        because = "whether it has virtual functions was not seen"
        return Answer(UNKNOWN, "sriov-mix", because)
    if value_or(functions, ()):
        # vfio_pci_core_register_device(), in 5.10 vfio_pci_probe(): whoever uses the
        # virtual functions could be reset from under their feet.
        because = "vfio-pci takes no physical function whose virtual ones are there"
        return _refused("-EBUSY", machine, era, "sriov-mix", because)
    if group is not None:
        return _incoherent(machine, device, group, era)
    if not known(device.group) or not machine.groups_known:
        return Answer(UNKNOWN, "no-iommu", "the source does not tell its group")
    if unread(machine.vfio.enable_unsafe_noiommu_mode):
        because = "whether vfio's no-IOMMU mode is allowed could not be read"
        return Answer(UNKNOWN, "no-iommu-mode", because)
    if machine.vfio.enable_unsafe_noiommu_mode is True:
        return None  # vfio makes a group for it
    because = "the device has no IOMMU group"
    return _refused("-EINVAL", machine, era, "no-iommu", because)


def _incoherent(
    machine: Machine, device: Device, group: Group, era: Era
) -> Answer | None:
    driver = incoherent_iommu(machine, device)
    if driver is None or not era.dma_owner or group.is_noiommu is True:
        return None
    because = f"its IOMMU ({driver}) does not promise that caches are coherent"
    answer = _refused("-EINVAL", machine, era, "not-on-vfio", because)
    return replace(answer, references=(DMA_COHERENCE,))


def _denied(machine: Machine, device: Device, era: Era) -> Answer | None:
    """Answer for a device in the denylist of vfio-pci; its variants have none."""
    found = denied_in(machine, device, era)
    if found.denied is False:
        return None
    if found.denied is None:
        return Answer(UNKNOWN, "denylist", found.because, (DENYLIST,))
    answer = _refused("-EINVAL", machine, era, "denylist", found.because)
    return replace(answer, references=(DENYLIST,))


def _in_held_group(device: Device, group: Group, era: Era) -> Answer:
    """A driver that wants the DMA API binds while somebody else has the group."""
    if not era.dma_owner:
        if group.held is Held.BY_KERNEL_DOMAIN:
            return Answer(OK, _RULE, "this kernel does not look at the group")
        return Answer(
            HOST_CRASH,
            _RULE,
            f"user space holds group {group.id}; before v5.19 a driver of the host "
            "that binds there kills the kernel",
            (DMA_OWNER_BUSES,),
        )
    if device.bus not in ENFORCING_BUSES:
        return Answer(OK, _RULE, f"the bus {device.bus} does not ask for ownership")
    if group.held.by_user:
        because = f"user space holds group {group.id}"
        return Answer("-EBUSY", _RULE, because, (DMA_OWNER_BUSES,))
    if era.proposal in PROPOSED:
        # The attach counts as a use of the group, whoever else is bound.
        because = "a driver of the host attached a domain of its own to the group"
        cited = () if era.origin is None else (era.origin,)
        return Answer("-EBUSY", "proposed-single-driver", because, cited)
    if GroupOwnership.of(group, era).having(Role.KERNEL):
        because = "a driver of the host attached a domain of its own to the group"
        return Answer("-EBUSY", _RULE, because, (DMA_OWNER_BUSES,))
    because = "the group's domain is looked at only once a driver of the host is bound"
    return Answer(OK, _RULE, because, (DMA_OWNER_BUSES,))
