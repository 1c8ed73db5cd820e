"""Without isolated interrupts VFIO refuses, or is told to be unsafe."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.kernel.citations import ISOLATED_MSI
from iommu_inspect.kernel.ownership.interrupts import asked_for_isolation
from iommu_inspect.model.fact import known, unread
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import listed, shown
from iommu_inspect.rules._cures import Look, Looking, SetParameter
from iommu_inspect.rules._words import addresses, verb
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="interrupt-remapping",
    summary="interrupts are not remapped, or VFIO is told not to mind",
    severity=Severity.ERROR,
    joint=True,
)
_UNSAFE = "allow_unsafe_interrupts"


def _check(case: Case) -> Iterator[Finding]:
    groups = [g for g in case.groups if g.is_noiommu is not True]
    if not groups:
        return
    machine = case.machine
    unsafe = machine.vfio.type1_allow_unsafe_interrupts is True
    if unsafe or machine.vfio.iommufd_allow_unsafe_interrupts is True:
        yield _unsafe(case)
    if unsafe:
        return
    if machine.interrupt_remapping is InterruptRemapping.ON:
        yield from _of_devices(case, groups)
        return
    needed = any(case.handed_over(group) for group in groups)
    if not known(machine.interrupt_remapping):
        if needed:
            yield case.finding(
                None,
                "The source does not tell whether interrupts are remapped, so whether "
                "VFIO_SET_IOMMU works cannot be told.",
                "Look at the names of interrupt chips: where they are, one begins with "
                "IR- (x86) or ITS- (arm64).",
                certainty=Certainty.UNKNOWN,
                step="find out whether interrupts are remapped",
                cures=[Look(Looking.INTERRUPTS)],
            )
        return
    untold = unread(machine.vfio.type1_allow_unsafe_interrupts)
    # VFIO asks nothing of the interrupts of a group that it made up itself.
    wanted = [group for group in groups if case.handed_over(group)]
    made_up = bool(wanted) and not any(group.is_noiommu is False for group in wanted)
    # The parameter is no cure to be copied: it gives up what VFIO insists on.
    yield case.finding(
        None,
        "Interrupts are not remapped: no chip under /sys/kernel/irq shows it. "
        + (
            "VFIO_SET_IOMMU returns -EPERM for every group, unless unsafe interrupts "
            "are allowed: that could not be read."
            if untold
            else "VFIO_SET_IOMMU returns -EPERM for every group that vfio has not "
            "made up itself; of this one that could not be read."
            if made_up
            else "VFIO_SET_IOMMU returns -EPERM for every group."
        ),
        f"Turn interrupt remapping on in the firmware's set-up{_off(machine)}. Or, "
        "where every guest is trusted as much as the host, allow unsafe interrupts "
        "(allow_unsafe_interrupts of vfio_iommu_type1).",
        severity=None if needed else Severity.WARNING,
        certainty=Certainty.UNKNOWN if untold or made_up else Certainty.KERNEL,
        step="turn interrupt remapping on",
    )


def _of_devices(case: Case, groups: list[Group]) -> Iterator[Finding]:
    """Speak of what is no PCI function and has, or has not, an MSI controller."""
    for group in filter(case.handed_over, groups):
        asked = {
            device.id: device
            for era in case.semantics.eras
            for device in asked_for_isolation(case.machine, group, era)
        }
        if asked:
            devices = list(asked.values())
            yield case.finding(
                group,
                f"Since v6.3 VFIO_SET_IOMMU asks each device whether its interrupts "
                f"are isolated. {addresses(devices)} "
                f"{verb(devices, 'is no PCI function', 'are no PCI functions')}, and "
                "sysfs does not show whether "
                f"{verb(devices, 'it has', 'they have')} an MSI controller that does: "
                "without one the call returns -EPERM.",
                "allow_unsafe_interrupts of vfio_iommu_type1 passes over that, where "
                "every user is trusted as much as the host.",
                certainty=Certainty.UNKNOWN,
                references=(ISOLATED_MSI,),
                step="find out whether the device has an MSI controller that isolates",
            )


def _off(machine: Machine) -> str:
    """Name the words that turn it off; where they cannot be seen, those there are."""
    words = machine.settings.command_line
    if not known(words):
        return ", and take intremap=off and nointremap off the kernel command line"
    given = [
        shown(word.text)
        for word in words
        if word.key == "nointremap"
        or (word.key == "intremap" and "off" in (word.value or "").split(","))
    ]
    return f", and take {listed(given)} off the kernel command line" if given else ""


def _unsafe(case: Case) -> Finding:
    vfio = case.machine.vfio
    off = [
        SetParameter(module, _UNSAFE, on=False)
        for module, on in (
            ("vfio_iommu_type1", vfio.type1_allow_unsafe_interrupts),
            ("iommufd", vfio.iommufd_allow_unsafe_interrupts),
        )
        if on is True
    ]
    remapped = case.machine.interrupt_remapping is InterruptRemapping.ON
    message = (
        "allow_unsafe_interrupts is on: a guest may inject interrupts into the host"
    )
    if remapped:
        message += ", if interrupt remapping should ever be off; it is on here"
    return case.finding(
        None,
        f"{message}.",
        "Turn it off where interrupts are remapped.",
        severity=Severity.INFO if remapped else Severity.WARNING,
        cures=off,
    )


RULE = Rule(ABOUT, check_machine=_check)
