"""The table of ``list``: groups and their devices."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.kernel.ownership.inquiry import Owned
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.pci.classes import class_name
from iommu_inspect.render.layout import PLAIN, Style, table

__all__ = ["describe", "device_name", "device_table", "kind_name"]

_OWNERSHIP_COLOURS = {"conflict": "red", "user": "green", "unknown": "yellow"}


def device_table(
    groups: Iterable[Owned],
    ungrouped: Iterable[Device],
    style: Style = PLAIN,
) -> str:
    """Return the table of ``list``: one line a device, the group on its first."""
    rows: list[list[str]] = []
    for owned in groups:
        group = owned.group
        first = [group.id, owned.ownership.value]
        for device in group.devices:
            rows.append([*first, *_device_cells(device)])
            first = ["", ""]
        if not group.devices:
            rows.append([*first, "(no devices)", "", ""])
    rows += [["-", "-", *_device_cells(device)] for device in ungrouped]
    headers = ["GROUP", "OWNERSHIP", "DEVICE", "DRIVER", "DESCRIPTION"]
    return table(headers, rows, style, paints={1: _OWNERSHIP_COLOURS})


def _device_cells(device: Device) -> list[str]:
    driver = device.driver
    bound = driver or "-" if known(driver) else "?"
    return [device.address, bound, describe(device)]


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
