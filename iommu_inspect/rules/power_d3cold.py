"""A device without power that does not seem to come back."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device
from iommu_inspect.model.text import shown
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.about import About
from iommu_inspect.rules.base import Rule
from iommu_inspect.rules.case import Case
from iommu_inspect.rules.finding import Certainty, Finding, Severity

__all__ = ["RULE"]

ID = "power-d3cold"
# Runtime power management put it to sleep, or is on the way there or back.
_ASLEEP = ("suspended", "suspending", "resuming")


def _check(case: Case, device: Device) -> Iterator[Finding]:
    if device.power_state != "D3cold":
        return
    group = case.machine.group_of(device)
    severity, certainty, message = _judge(device)
    yield Finding(
        rule=ID,
        severity=severity,
        certainty=certainty,
        group=None if group is None else group.id,
        devices=(device.address,),
        message=message,
        remedy=_remedy(severity),
    )


def _judge(device: Device) -> tuple[Severity, Certainty, str]:
    status = device.runtime_status
    name = shown(device.address)
    if not known(status):
        return (
            Severity.INFO,
            Certainty.UNKNOWN,
            f"{name} ({bound_to(device)}) is without power (D3cold); the source does "
            "not tell whether the kernel put it to sleep or lost it.",
        )
    if status in _ASLEEP:
        return (
            Severity.INFO,
            Certainty.KERNEL,
            f"{name} ({bound_to(device)}) is asleep without power (D3cold). It is "
            "woken when it is opened; some devices do not come back from that.",
        )
    return (
        Severity.WARNING,
        Certainty.DERIVED,
        f"{name} ({bound_to(device)}) is without power (D3cold) although the kernel "
        f"has it as {shown(status)}: it did not come back, or is gone.",
    )


def _remedy(severity: Severity) -> str:
    if severity is Severity.WARNING:
        return (
            "Look for 'Unable to change power state' in dmesg. Only a reboot, or "
            "switching the host off, brings most such devices back. Before the next "
            "try keep it awake: load vfio-pci with disable_idle_d3=1."
        )
    return (
        "If it does not wake ('Unable to change power state from D3cold to D0, device "
        "inaccessible' in dmesg), load vfio-pci with disable_idle_d3=1 after a reboot."
    )


RULE = Rule(
    About(
        id=ID,
        summary="a device is without power, asleep or lost",
        severity=Severity.ERROR,
    ),
    check_device=_check,
)
