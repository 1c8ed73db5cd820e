"""A device that does not answer: all its registers read as ones."""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, unread
from iommu_inspect.model.text import shown
from iommu_inspect.rules._cures import Look, Looking
from iommu_inspect.rules._words import addresses, bound_to
from iommu_inspect.rules.base import About, Case, Certainty, Finding, Rule, Severity
from iommu_inspect.rules.finding import EVERY_PURPOSE

ABOUT = About(
    id="no-answer",
    summary="a device does not answer: all its registers read as ones",
    severity=Severity.ERROR,
    purposes=EVERY_PURPOSE,
)
_REMEDY = (
    "Look in the kernel log for what happened to it. If nobody turned its power off "
    "on purpose, only a reboot, or switching the host off and on, brings most such "
    "devices back; check the card's seat and its power."
)


def _check(case: Case) -> Iterator[Finding]:
    for device in case.wanted:
        # Of a device whose registers fail to be read nobody knows: it is there.
        if device.is_pci and unread(device.pci.answers) and not _is_silent(device):
            yield _untold(case, device)
    silent = [d for d in case.machine.devices if d.is_pci and _is_silent(d)]
    if not case.targets:
        if silent:
            yield _of_host(case, silent)
        return
    for device in silent:
        if any(device is wanted for wanted in case.wanted):
            yield _of_target(case, device)


def _is_silent(device: Device) -> bool:
    """Say whether the registers are all ones, or the vendor's is and no more is seen.

    The vendor of a virtual function is not its own register's.
    """
    answers = device.pci.answers
    if known(answers):
        return not answers
    return device.ids.vendor == 0xFFFF and not device.pci.is_virtual


def _of_host(case: Case, silent: list[Device]) -> Finding:
    does = "does" if len(silent) == 1 else "do"
    its = "its" if len(silent) == 1 else "their"
    return case.finding(
        silent[0],
        f"{addresses(silent)} {does} not answer: all {its} registers read as ones, as "
        "those of a device without power, or of one that fell off the bus.",
        _REMEDY,
        others=silent,
        severity=Severity.WARNING,
        cures=[Look(Looking.KERNEL_LOG, d.address) for d in silent],
    )


def _untold(case: Case, device: Device) -> Finding:
    name = shown(device.address)
    return case.finding(
        device,
        f"The registers of {name} could not be read: whether it answers at all cannot "
        "be told.",
        "Look at its configuration space on the host itself, as root.",
        certainty=Certainty.UNKNOWN,
        step=f"find out whether {name} answers",
        cures=[Look(Looking.KERNEL_LOG, device.address)],
    )


def _of_target(case: Case, device: Device) -> Finding:
    name = f"{shown(device.address)} ({bound_to(device)})"
    look = Look(Looking.KERNEL_LOG, device.address)
    if device.power_state == "D3cold":
        return case.finding(
            device,
            f"{name} does not answer: all its registers read as ones. It is without "
            "power (D3cold); whether it comes back when it is opened cannot be told.",
            "Wake it first, and look again.",
            severity=Severity.WARNING,
            certainty=Certainty.DERIVED,
            cures=[look],
        )
    return case.finding(
        device,
        f"{name} does not answer: all its registers read as ones. It fell off the bus, "
        "or its power is off; nobody can use it like that.",
        _REMEDY,
        step=f"bring {shown(device.address)} back, or choose another device",
        final=True,
        cures=[look],
    )


RULE = Rule(ABOUT, check_machine=_check)
