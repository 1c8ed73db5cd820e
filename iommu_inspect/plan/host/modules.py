"""Which modules may bind to a device before vfio-pci does."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.host.settings import ModuleState
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PCI_BASE_CLASS_DISPLAY
from iommu_inspect.plan.decision.moves import NOT_TOLD

__all__ = ["built_in", "modules_of"]

# Drivers whose module has another name, for sources that do not tell it. "-" and "_"
# are the same to modprobe.
_MODULES = {
    "i801_smbus": "i2c_i801",
    "nvidia-gpu": "i2c_nvidia_gpu",
    "piix4_smbus": "i2c_piix4",
    "proc_thermal_pci": "processor_thermal_device_pci",
    "xhci_hcd": "xhci_pci",
}
# Drivers that fit a display of the vendor; which one is there differs by distribution.
_DISPLAY = {
    0x10DE: ("nouveau", "nvidia"),
    0x1002: ("amdgpu", "radeon"),
    0x8086: ("i915", "xe"),
}
_OF_VFIO = ("vfio-pci", "pci-stub")


def modules_of(machine: Machine, device: Device) -> tuple[str, ...]:
    """Return the modules that have to wait for vfio-pci at boot.

    That of the driver which is bound now, and for a display the other ones that fit.
    """
    names: list[str] = []
    driver = device.driver
    if isinstance(driver, str) and driver not in (*_OF_VFIO, NOT_TOLD):
        told = machine.settings.module_of(driver)
        guessed = _MODULES.get(driver, driver.replace("-", "_"))
        names.append(told if known(told) else guessed)
    base = device.base_class
    if known(base) and base >> 8 == PCI_BASE_CLASS_DISPLAY:
        vendor = device.ids.vendor
        names += _DISPLAY.get(vendor, ()) if isinstance(vendor, int) else ()
    return tuple(dict.fromkeys(names))


def built_in(machine: Machine, module: str) -> bool | None:
    """Say whether a module is a part of the kernel; ``None`` if that is not told."""
    state = machine.settings.module(module)
    return state is ModuleState.BUILT_IN if known(state) else None
