"""No IOMMU stands between a device and memory; which layer is missing."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import quoted, shown
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE, Purpose

ABOUT = About(
    id="no-iommu",
    summary="no IOMMU covers the host or the device",
    severity=Severity.ERROR,
    purposes=EVERY_PURPOSE,
)


def _check_machine(case: Case) -> Iterator[Finding]:
    machine = case.machine
    if any(group.is_noiommu is not True for group in machine.groups):
        return
    if case.targets and all(map(case.needs_no_iommu, case.targets)):
        return
    certainty, message, remedy = _missing_layer(machine)
    unknown = certainty is Certainty.UNKNOWN
    unsafe = case.purpose is Purpose.DPDK and not unknown
    if unsafe:
        message = f"{message} {_DPDK}"
    yield case.finding(
        None,
        message,
        remedy,
        severity=Severity.WARNING if unsafe else None,
        certainty=certainty,
        step="capture the groups too" if unknown else "turn the IOMMU on",
    )


def _check_device(case: Case, device: Device) -> Iterator[Finding]:
    machine = case.machine
    if not machine.groups or machine.group_of(device) is not None:
        return
    if any(t.device is device and case.needs_no_iommu(t) for t in case.targets):
        return
    if not known(device.group):
        link = quoted(f"/sys/bus/pci/devices/{device.address}/iommu_group")
        yield case.finding(
            device,
            f"The source does not tell the group of {shown(device.address)}.",
            f"Look at the host itself:\nreadlink {link}",
            certainty=Certainty.UNKNOWN,
            step=f"find out the group of {shown(device.address)}",
        )
        return
    # A vfio driver binds to a device without a group only in no-IOMMU mode, and then
    # makes one up; without it there is nothing to open.
    unsafe = case.purpose is Purpose.DPDK and has_vfio_driver(device) is False
    yield case.finding(
        device,
        f"{device.address} has no IOMMU group although other devices of this host "
        "have one: no IOMMU unit covers it, and "
        f"{_DPDK_DEVICE if unsafe else 'VFIO cannot take it.'}",
        "Use a device that an IOMMU covers; what covers what is in the firmware's "
        "tables (DMAR, IVRS, IORT) or the device tree's iommu-map.",
        severity=Severity.WARNING if unsafe else None,
        step="choose a device that an IOMMU covers",
        final=not unsafe,
    )


_DPDK = (
    "DPDK can do without, through vfio's no-IOMMU mode or uio_pci_generic: the device, "
    "and whoever programs it, then reaches all memory."
)
_SWITCHES = ("iommu", "intel_iommu", "amd_iommu")
_DPDK_DEVICE = (
    "DPDK can have it only through vfio's no-IOMMU mode or uio_pci_generic: it then "
    "reaches all memory."
)


def _turn_on(machine: Machine) -> str:
    """Say what to do where the firmware has done its part."""
    words = value_or(machine.settings.command_line, ())
    off = [w.text for w in words if w.key in _SWITCHES and w.value == "off"]
    if off:
        return f"Take {' and '.join(off)} off the kernel command line."
    tables = value_or(machine.firmware_tables, ())
    if "DMAR" not in tables:
        return (
            "Look for errors of AMD-Vi or the SMMU in dmesg, and for a kernel without "
            "the driver (CONFIG_AMD_IOMMU, CONFIG_ARM_SMMU_V3); both need no parameter."
        )
    if any(w.key == "intel_iommu" and (w.value or "").startswith("on") for w in words):
        return (
            "The kernel command line asks for it already: look for DMAR errors in "
            "dmesg, and for a kernel without the driver (CONFIG_INTEL_IOMMU)."
        )
    return (
        "Boot with intel_iommu=on and a kernel that has the driver "
        "(CONFIG_INTEL_IOMMU)."
    )


def _missing_layer(machine: Machine) -> tuple[Certainty, str, str]:
    """Say which layer is missing: our conclusion from what is there."""
    if not machine.groups_known:
        return (
            Certainty.UNKNOWN,
            "The source holds no trace of IOMMU groups: whether the host has none, or "
            "they were not captured, cannot be told.",
            "Capture /sys/kernel/iommu_groups and the devices' iommu_group links too.",
        )
    units, tables = machine.iommus, machine.firmware_tables
    if known(units) and units:
        names = ", ".join(unit.name for unit in units)
        return (
            Certainty.DERIVED,
            f"The kernel runs IOMMU units ({names}), but no device has a group: "
            "translation is off.",
            "Look for iommu=off or intel_iommu=off on the kernel command line, and for "
            "DMAR or AMD-Vi errors in dmesg; intel_iommu=on turns VT-d on.",
        )
    if known(tables) and tables:
        return (
            Certainty.DERIVED,
            f"Firmware describes an IOMMU ({', '.join(tables)}), but the kernel runs "
            "no unit.",
            _turn_on(machine),
        )
    if machine.guest is True:
        return (
            Certainty.DERIVED,
            "This is a virtual machine without a virtual IOMMU.",
            "Give the guest one (QEMU: -device intel-iommu,intremap=on with "
            "-machine q35,kernel-irqchip=split; libvirt: <iommu model='intel'>).",
        )
    if known(tables) and machine.guest is False:
        return (
            Certainty.DERIVED,
            "Firmware describes no IOMMU: there is no DMAR, IVRS or IORT table.",
            "Turn on VT-d, AMD-Vi (IOMMU) or the SMMU in the firmware's set-up.",
        )
    return (
        Certainty.KERNEL,
        "No device has an IOMMU group; which layer is missing cannot be told.",
        "Look whether the firmware's set-up has VT-d, AMD-Vi or the SMMU turned on.",
    )


RULE = Rule(ABOUT, check_machine=_check_machine, check_device=_check_device)
