"""Whether an IOMMU would translate for a function, as far as it can be told.

A device that no IOMMU translates for gets no group (``iommu_init_device()`` in
drivers/iommu/iommu.c of v6.12: ``probe_device()`` of the driver says -ENODEV).
"""

from __future__ import annotations

from iommu_inspect.kernel.grouping.acs.off import asks_too_late
from iommu_inspect.kernel.grouping.acs.unseen import Doubt, Unseen
from iommu_inspect.kernel.grouping.making.platforms import grouped_otherwise
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_DISPLAY,
    PCI_CLASS_BRIDGE_HOST,
    PCI_CLASS_SYSTEM_IOMMU,
    PCI_VENDOR_ID_AMD,
    PCI_VENDOR_ID_INTEL,
)

__all__ = ["AMD_LIKE", "GRAPHICS_OFF", "Reach", "switch_of_graphics"]

GRAPHICS_OFF = frozenset({"igfx_off", "intgpu_off"})
"""Options of intel_iommu= that keep VT-d from integrated graphics."""

AMD_LIKE = (PCI_VENDOR_ID_AMD, 0x1D94)  # Hygon has AMD's IOMMU
_BY_FIRMWARE = (
    "whether the IOMMU translates for {} is in the firmware's table (IVRS), which is "
    "not shown; of such functions it mostly does not"
)


class Reach:
    """Answers for one machine."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._units = [
            d for d in machine.devices if d.base_class == PCI_CLASS_SYSTEM_IOMMU
        ]
        places = (unit.pci_address for unit in self._units)
        self._slots = {(at.domain, at.bus, at.slot) for at in places if at is not None}
        self._by_driver = asks_too_late(machine)
        self._described = any(known(d.pci.answers) for d in machine.devices)
        self._no_ivrs = self._is_without_ivrs()

    def _is_without_ivrs(self) -> bool:
        tables, processor = self._machine.firmware_tables, self._machine.processor
        if known(tables) and tables:
            return "IVRS" not in tables
        return known(processor) and value_or(processor.maker, "amd") != "amd"

    def never(self, device: Device) -> str | None:
        """Return the option that keeps the IOMMU from a function for sure."""
        return switch_of_graphics(self._machine, device) or None

    def of_machine(self) -> Doubt | None:
        """Say why for no function it can be told how the kernel would group it."""
        otherwise = grouped_otherwise(self._machine)
        if otherwise is not None and not otherwise.alone:
            first = next(d for d in self._machine.devices if d.is_pci)
            return Doubt(first, Unseen.REACH, otherwise.because)
        for unit in self._units:
            # AMD's is a PCI function on each root bus and translates for all below.
            if unit.ids.vendor not in AMD_LIKE:
                because = (
                    f"for which functions the IOMMU {unit.address} translates is not "
                    "known here"
                )
                what = Unseen.REACH if known(unit.ids.vendor) else Unseen.IDS
                return Doubt(unit, what, because)
        return None

    def _only_named_by_others(self, device: Device) -> bool:
        """Say whether lspci describes others and not this one.

        The kernel itself shows devices for a moment that firmware hides (``p2sb_bar()``
        in drivers/platform/x86/p2sb.c), and its log keeps them.
        """
        listed = "lspci" in self._machine.source.parts
        return listed and self._described and not known(device.pci.answers)

    def doubt(self, device: Device) -> Doubt | None:
        """Say why it cannot be told whether a function gets a group at all.

        Firmware of AMD's chipsets leaves the root complex and the IOMMU itself out
        (``init_iommu_from_acpi()`` in drivers/iommu/amd/init.c takes the ranges of
        devices from it).
        """
        address = device.pci_address
        if address is None:
            return None
        if self._only_named_by_others(device):
            because = (
                f"lspci does not list {device.address}, which the log names: it may "
                "be gone since"
            )
            return Doubt(device, Unseen.PLACE, because)
        if self._by_driver and (not known(device.driver) or device.driver is None):
            because = (
                f"whether {device.address} gets a group without a driver cannot be "
                "told: kernels like this one find an SMMU of the device tree when a "
                "driver binds (seen on v6.12)"
            )
            return Doubt(device, Unseen.REACH, because)
        beside = (address.domain, address.bus, address.slot) in self._slots
        complex_ = (
            device.base_class == PCI_CLASS_BRIDGE_HOST
            and address.slot == 0
            and (device.ids.vendor in AMD_LIKE or not known(device.ids.vendor))
        )
        if beside or (complex_ and not self._no_ivrs):
            because = _BY_FIRMWARE.format(device.address)
            nameless = not beside and not known(device.ids.vendor)
            return Doubt(device, Unseen.IDS if nameless else Unseen.REACH, because)
        return None


def switch_of_graphics(machine: Machine, device: Device) -> str:
    """Return the word that keeps VT-d from an integrated display, if there is one.

    ``igfx_off`` and ``intgpu_off`` in ``intel_iommu_setup()``, drivers/iommu/intel.
    """
    base = device.base_class
    if not known(base) or base >> 8 != PCI_BASE_CLASS_DISPLAY:
        return ""
    if device.ids.vendor != PCI_VENDOR_ID_INTEL:
        return ""
    for word in value_or(machine.settings.command_line, ()):
        options = (word.value or "").split(",")
        if word.key == "intel_iommu" and GRAPHICS_OFF & set(options):
            return word.text
    return ""
