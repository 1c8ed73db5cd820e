"""What only the running host can tell: the names that udev knows."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.sources.names import Namer, Names

__all__ = ["from_udev"]


def from_udev(fallback: Namer) -> Namer:
    """Return a namer that asks udev's database, and ``fallback`` where it is silent.

    The database is empty where no udevd runs (containers, initramfs), and libudev
    may not be installed at all.
    """
    try:
        import pyudev

        context = pyudev.Context()
    except (ImportError, OSError):
        return fallback

    def name(device: Device) -> Names:
        if not known(device.path):
            return fallback(device)
        try:
            properties = pyudev.Devices.from_path(context, f"/{device.path}").properties
            names = Names(
                properties.get("ID_VENDOR_FROM_DATABASE"),
                properties.get("ID_MODEL_FROM_DATABASE"),
            )
        except (pyudev.DeviceNotFoundError, OSError, UnicodeError):
            return fallback(device)
        return names if names.device or names.vendor else fallback(device)

    return name
