"""What a device is called, and what drives it."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.pci.classes import class_name

__all__ = ["describe", "device_name", "driver_mark", "kind_name"]


def driver_mark(device: Device) -> str:
    """Return the driver's name, "-" where none is bound, "?" where it is not told."""
    return value_or(device.driver, "?") or "-"


def describe(device: Device) -> str:
    """Say what a device is: class, ids, and names where somebody knows them."""
    parts = [kind_name(device)]
    if not device.is_pci:
        return parts[0]
    if device.ids.pair is not None:
        parts.append(f"[{device.ids.pair}]")
    parts += [name for name in (device.vendor_name, device.name) if name]
    return " ".join(parts)


def kind_name(device: Device) -> str:
    """Say in a word or two what kind of device it is."""
    if not device.is_pci:
        return f"{device.bus} device" if known(device.bus) else "?"
    code = device.ids.class_code
    unnamed = f"class {code >> 8:04x}" if known(code) else "class unknown"
    return class_name(code) or unnamed


def device_name(device: Device) -> str:
    """Say what it is called, by its kind where nobody knows a name, and its ids."""
    name = device.name if device.is_pci and device.name else kind_name(device)
    pair = device.ids.pair if device.is_pci else None
    parts = [device.vendor_name, name, pair and f"[{pair}]"]
    return " ".join(filter(None, parts))
