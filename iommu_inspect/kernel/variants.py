"""Which vfio driver the kernel has for a device: vfio-pci, or a variant of it.

A variant knows more of the device than vfio-pci does: how to migrate it, or where the
rest of its memory is. The lines ``alias vfio_pci:v...`` of modules.alias name the
devices of each (``PCI_DRIVER_OVERRIDE_DEVICE_VFIO()`` and ``do_pci_entry()`` in
scripts/mod/file2alias.c, v5.16); whoever binds chooses the one that says most.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, known, value_or
from iommu_inspect.model.host.kernel_release import version_of
from iommu_inspect.model.machine import Machine

__all__ = ["known_variant", "vfio_driver_for"]

_VFIO_PCI = "vfio-pci"
# By vendor and device, with the release that it came with: for sources that do not show
# the list. The ids are those of the drivers' tables in v6.12.
_SINCE = {
    "mlx5_vfio_pci": (5, 18),
    "nvgrace_gpu_vfio_pci": (6, 9),
    "pds_vfio_pci": (6, 6),
    "qat_vfio_pci": (6, 10),
}
_BUILT = {
    (0x10DE, 0x2342): "nvgrace_gpu_vfio_pci",
    (0x10DE, 0x2345): "nvgrace_gpu_vfio_pci",
    (0x15B3, 0x101E): "mlx5_vfio_pci",
    (0x1DD8, 0x1003): "pds_vfio_pci",
    (0x8086, 0x4941): "qat_vfio_pci",
    (0x8086, 0x4943): "qat_vfio_pci",
    (0x8086, 0x4945): "qat_vfio_pci",
}
# Drivers whose name in sysfs is not that of their module.
_NAMES = {"vfio_pci": _VFIO_PCI, "xe_vfio_pci": "xe-vfio-pci"}


# Up to vendor and device, which most patterns give ("vfio_pci:vNNNNNNNNdNNNNNNNN"), or
# up to the vendor alone.
_STARTS = (len("vfio_pci:v00000000d00000000"), len("vfio_pci:v00000000"))


def vfio_driver_for(machine: Machine, device: Device) -> str:
    """Return the driver that fits best by the kernel's own list; else ``vfio-pci``.

    Names are those of sysfs: variants are called as their modules are, with "_".
    """
    if not known(machine.settings.vfio_aliases):
        return _VFIO_PCI
    name = _modalias(device)
    fitting = [
        (pattern.count("*"), driver)
        for start in {"", *(name[:length] for length in _STARTS)}
        for pattern, driver in machine.settings.aliases_by_start(*_STARTS).get(
            start, ()
        )
        if fnmatchcase(name, pattern)
    ]
    if not fitting:
        return _VFIO_PCI
    module = min(fitting)[1]
    return _NAMES.get(module, module)


def known_variant(machine: Machine, device: Device) -> str | None:
    """Return the variant that kernels of this release have, where no list is shown.

    Whether this very kernel was built with it the release does not tell.
    """
    vendor, model = device.ids.vendor, device.ids.device
    if known(machine.settings.vfio_aliases) or not known(vendor) or not known(model):
        return None
    variant = _BUILT.get((vendor, model))
    version = version_of(value_or(machine.kernel.release, ""))
    if variant is None or version is None or version < _SINCE[variant]:
        return None
    return variant


def _modalias(device: Device) -> str:
    """Write a device as its modalias does, with the prefix of the list."""
    ids = device.ids
    code = ids.class_code

    def part(name: str, value: Fact[int], digits: int) -> str:
        return f"{name}{value:0{digits}X}" if known(value) else f"{name}?"

    base = (code >> 16, code >> 8 & 0xFF, code & 0xFF) if known(code) else (code,) * 3
    return "vfio_pci:" + "".join(
        (
            part("v", ids.vendor, 8),
            part("d", ids.device, 8),
            part("sv", ids.subsystem_vendor, 8),
            part("sd", ids.subsystem_device, 8),
            part("bc", base[0], 2),
            part("sc", base[1], 2),
            part("i", base[2], 2),
        )
    )
