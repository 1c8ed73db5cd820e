"""What the name of a bound driver says about it."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, unread, value_or

__all__ = [
    "UIO_DRIVERS",
    "VFIO_DRIVERS",
    "has_vfio_driver",
    "host_keeps",
    "looks_like_vfio",
    "normalised",
]

# Names as sysfs shows them, with "_" for "-": variant drivers take the module's
# name, where the build turns "-" into "_".
VFIO_DRIVERS = frozenset(
    {
        "hisi_acc_vfio_pci",
        "ism_vfio_pci",
        "mlx5_vfio_pci",
        "nvgrace_gpu_vfio_pci",
        "pds_vfio_pci",
        "qat_vfio_pci",
        "vfio_amba",
        "vfio_cdx",
        "vfio_fsl_mc",
        "vfio_pci",
        "vfio_platform",
        "virtio_vfio_pci",
        "xe_vfio_pci",
    }
)

# Drivers of UIO for any PCI function: uio_pci_generic of the kernel, and igb_uio of
# dpdk-kmods.
UIO_DRIVERS = frozenset({"igb_uio", "uio_pci_generic"})


def normalised(driver: str) -> str:
    """Return the driver's name with "_" for "-", for comparison only."""
    return driver.replace("-", "_")


def looks_like_vfio(driver: str) -> bool:
    """Say whether a driver that is in no list has vfio in its name.

    An out-of-tree variant driver looks like this, and so does the driver of a
    mediated device's parent: the name alone does not decide.
    """
    return "vfio" in driver.lower()


def has_vfio_driver(device: Device) -> bool | None:
    """Say whether a vfio driver is bound; ``None`` where that cannot be told."""
    if value_or(device.vfio_devices, ()):
        return True
    driver = device.driver
    if not known(driver):
        return None
    if driver is None:
        return False
    if unread(device.vfio_devices) and not (
        device.bus == "mdev" or normalised(driver) in VFIO_DRIVERS
    ):
        return None  # a vfio driver of any name shows itself there, and nowhere else
    # Drivers of this bus exist for VFIO to open mediated devices by, whatever their
    # names (vfio_mdev, nvidia-vgpu-vfio, intel_vgpu_mdev): their probe makes a VFIO
    # device (Documentation/driver-api/vfio-mediated-device.rst).
    if device.bus == "mdev" or normalised(driver) in VFIO_DRIVERS:
        return True
    return None if looks_like_vfio(driver) else False


def host_keeps(device: Device) -> bool:
    """Say whether a driver of the host is bound for certain."""
    return device.driver is not None and has_vfio_driver(device) is False
