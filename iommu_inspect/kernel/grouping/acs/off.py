"""Why a function's ACS controls are off though the hardware has them.

Read in drivers/pci/pci.c (``pci_enable_acs()``, ``pci_dev_str_match()``),
drivers/pci/pci-driver.c and drivers/iommu/of_iommu.c of v6.12 and v7.3.
"""

from __future__ import annotations

import re

from iommu_inspect.kernel.grouping.acs.quirks import REQUIRED_ACS, uncounted_controls
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.host.kernel_release import version_of
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress

__all__ = [
    "asks_too_late",
    "controls_off",
    "made_up_isolation",
    "takes_acs_away",
    "why_off",
]

# v7.2 and v7.3 turn ACS on when they configure DMA; what is between was not read.
_FIRST_UNREAD_MAJOR = 7
_TURNS_OFF = re.compile(r"(?:^|,)((?:disable_acs_redir|config_acs)=)([^\s]*)")


def controls_off(device: Device) -> int:
    """Return the required controls that the function has and that are off."""
    acs = device.pci.acs
    if acs is None or not known(acs):
        return 0
    return REQUIRED_ACS & acs.capability & ~acs.control


def made_up_isolation(machine: Machine) -> str | None:
    """Return the word of the command line that makes isolation up, if one does.

    It works only in kernels with the ACS override patch, which was never merged.
    """
    words = value_or(machine.settings.command_line, ())
    made_up = (w.text for w in words if w.key == "pcie_acs_override" and w.value)
    return next(made_up, None)


def why_off(machine: Machine, device: Device) -> str | None:
    """Say why a function's required controls are off, as far as the facts go.

    ``None`` where they are on or not there, or nothing seen would explain it.
    """
    if not controls_off(device):
        return None
    uncounted = uncounted_controls(device, value_or(machine.kernel.release, ""))
    if uncounted == controls_off(device):
        return (
            "the kernel does without the source validation of this switch, which drops "
            "completions (IDT erratum 36), and does not miss it"
        )
    word = _turned_off(machine, device)
    if word is not None:
        return f"the kernel was booted with {word}, which names {device.address}"
    if asks_too_late(machine) and not _any_on(machine):
        return (
            "probably nobody asked for it when the ports were set up, since kernels "
            "like this one find an SMMU of the device tree only later (seen on v6.12; "
            "v7.3 switches ACS on then)"
        )
    return None


def takes_acs_away(machine: Machine, device: Device) -> bool:
    """Say whether an option of the command line may take a function's ACS away.

    A path of several addresses is not followed: it may name any.
    """
    for word in value_or(machine.settings.command_line, ()):
        found = _TURNS_OFF.search(word.value or "") if word.key == "pci" else None
        names = (
            [part.rpartition("@")[2] for part in re.split("[;,]", found[2])]
            if (found)
            else []
        )
        if any("/" in name or _names(name, device) for name in names):
            return True
    return False


def _turned_off(machine: Machine, device: Device) -> str | None:
    """Return the option of ``pci=`` that changes the controls of this function."""
    for word in value_or(machine.settings.command_line, ()):
        found = _TURNS_OFF.search(word.value or "") if word.key == "pci" else None
        if found is None:
            continue
        for part in re.split("[;,]", found[2]):
            flags, _, name = part.rpartition("@")
            off = controls_off(device) & ~_switched_on(flags)
            if off and _names(name, device):
                return f"pci={found[1]}{found[2]}"
    return None


def _switched_on(flags: str) -> int:
    """Return the controls that ``config_acs=`` switches on: the last digit is bit 0.

    All others it switches off ("0") or leaves as firmware had them ("x", no digit),
    the kernel's own choice undone. ``disable_acs_redir=`` has no flags and leaves
    nothing on but what firmware had.
    """
    return sum(1 << bit for bit, flag in enumerate(reversed(flags)) if flag == "1")


def _names(text: str, device: Device) -> bool:
    """Say whether a device of the command line is this one.

    By ids (``pci:VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE]``, 0 fits all) or by address. A
    path of several addresses is not followed: it names nothing here.
    """
    if not text.startswith("pci:"):
        wanted = PciAddress.parse(text)
        if wanted is None or device.pci_address is None:
            return False
        return wanted == device.pci_address
    ids = device.ids
    facts = (ids.vendor, ids.device, ids.subsystem_vendor, ids.subsystem_device)
    try:
        wanted_ids = [int(part, 16) for part in text.split(":")[1:]]
    except ValueError:
        return False
    return len(wanted_ids) in (2, 4) and all(
        number in (0, fact) for number, fact in zip(wanted_ids, facts, strict=False)
    )


def asks_too_late(machine: Machine) -> bool:
    """Say whether a kernel before v7.0 has an Arm SMMU that no ACPI table describes."""
    release, units = machine.kernel.release, machine.iommus
    if not known(release) or not known(units):
        return False
    tables = machine.firmware_tables
    if known(tables) and tables:
        return False
    version = version_of(release)
    old = version is not None and version[0] < _FIRST_UNREAD_MAJOR
    return old and any(unit.name.startswith("smmu") for unit in units)


def _any_on(machine: Machine) -> bool:
    for device in machine.devices:
        acs = device.pci.acs
        if known(acs) and acs is not None and acs.control & REQUIRED_ACS:
            return True
    return False
