"""Whether VFIO and iommufd take the interrupts of a group for isolated."""

from __future__ import annotations

from iommu_inspect.kernel.answers import OK, UNKNOWN, Answer
from iommu_inspect.kernel.citations import ISOLATED_MSI
from iommu_inspect.kernel.eras import Era, version_within
from iommu_inspect.kernel.ownership import words
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, known, unread, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.host.platform import Architecture
from iommu_inspect.model.machine import Machine

__all__ = ["accepted", "asked_for_isolation", "refused_interrupts"]

_PER_DEVICE_SINCE = (6, 3)


def asked_for_isolation(machine: Machine, group: Group, era: Era) -> tuple[Device, ...]:
    """Return the members that are asked themselves whether they are isolated.

    Since v6.3 msi_device_has_isolated_msi() looks at the MSI controller of each device;
    one that has none is not isolated, but on s390. Before, one controller that isolates
    was enough for all. PCI functions have that of their host bridge, which is what the
    interrupt chips show.
    """
    release = value_or(machine.kernel.release, "")
    version = version_within(release, era)
    if version is not None and version < _PER_DEVICE_SINCE:
        return ()
    if version is None and era.since < (6, 2):
        return ()
    if machine.architecture is Architecture.S390:
        return ()
    if words.is_mediated(group):  # vfio asks nothing of the groups that it makes up
        return ()
    return tuple(device for device in group.devices if not device.is_pci)


def refused_interrupts(
    machine: Machine, group: Group, era: Era, allowed: Fact[bool]
) -> Answer | None:
    """Return why a group's interrupts are refused, ``None`` if they are not.

    VFIO_SET_IOMMU and VFIO_DEVICE_BIND_IOMMUFD ask. ``allowed`` is the parameter
    ``allow_unsafe_interrupts`` of their module, which passes over it.
    """
    rule = "interrupt-remapping"
    remapping = machine.interrupt_remapping
    if allowed is True:
        return None
    if remapping is InterruptRemapping.ON:
        if any(device.is_below_vmd for device in group.devices):
            because = "whether interrupts behind a VMD count as remapped differs by "
            return Answer(UNKNOWN, rule, f"{because}kernel")
        if asked := asked_for_isolation(machine, group, era):
            because = (
                f"whether interrupts of {words.names(asked)} are isolated is asked of "
                "the device since v6.3 (msi_device_has_isolated_msi()), and sysfs does "
                "not show it: without an MSI controller they are not"
            )
            return Answer(UNKNOWN, rule, because, (ISOLATED_MSI,))
        return None
    if not known(remapping):
        return Answer(
            UNKNOWN, rule, "the source does not tell whether interrupts are remapped"
        )
    if unread(allowed):
        return Answer(
            UNKNOWN,
            rule,
            "interrupts are not remapped, and whether unsafe ones are allowed could "
            "not be read",
        )
    return Answer(
        "-EPERM",
        rule,
        "interrupts are not remapped, and unsafe ones are not allowed",
    )


def accepted(machine: Machine) -> Answer:
    """Return that it works, as far as interrupts go, and why."""
    remapped = machine.interrupt_remapping is InterruptRemapping.ON
    because = "unsafe interrupts are allowed"
    if remapped:
        because = "interrupts are remapped"
    return Answer(OK, "interrupt-remapping", because)
