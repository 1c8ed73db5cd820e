"""A device without power that does not seem to come back."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device
from iommu_inspect.model.text import shown
from iommu_inspect.rules._words import bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity

ABOUT = About(
    id="power-d3cold",
    summary="a device is without power, asleep or lost",
    severity=Severity.INFO,
)
# Runtime power management put it to sleep, or is on the way there or back.
_ASLEEP = ("suspended", "suspending", "resuming")
_IF_ASLEEP = (
    "If it does not wake ('Unable to change power state from D3cold to D0, device "
    "inaccessible' in dmesg), load vfio-pci with disable_idle_d3=1 after a reboot."
)


def _check(case: Case, device: Device) -> Iterator[Finding]:
    if device.power_state != "D3cold":
        return
    status = device.runtime_status
    name = f"{shown(device.address)} ({bound_to(device)})"
    if not known(status):
        yield case.finding(
            device,
            f"{name} is without power (D3cold); the source does not tell whether the "
            "kernel put it to sleep or lost it.",
            _IF_ASLEEP,
            certainty=Certainty.UNKNOWN,
        )
    elif status in _ASLEEP:
        yield case.finding(
            device,
            f"{name} is asleep without power (D3cold). It is woken when it is opened; "
            "some devices do not come back from that.",
            _IF_ASLEEP,
        )
    else:
        yield case.finding(
            device,
            f"{name} is without power (D3cold) although the kernel has it as "
            f"{shown(status)}: it did not come back, or is gone.",
            "Look for 'Unable to change power state' in dmesg. Only a reboot, or "
            "switching the host off, brings most such devices back. Before the next "
            "try keep it awake: load vfio-pci with disable_idle_d3=1.",
            severity=Severity.WARNING,
            certainty=Certainty.DERIVED,
        )


RULE = Rule(ABOUT, check_device=_check)
