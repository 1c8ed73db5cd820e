"""The table of ``list``: groups and their devices."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.kernel.ownership.inquiry import Owned
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.pci.classes import class_name
from iommu_inspect.model.relations import Relations
from iommu_inspect.render.layout import PLAIN, Style, table
from iommu_inspect.render.uses import use_line

__all__ = ["describe", "device_name", "device_table", "driver_mark", "kind_name"]

_OWNERSHIP_COLOURS = {"conflict": "red", "user": "green", "unknown": "yellow"}
# So that a table with a mediated device, whose name is a UUID, fits 80 columns; the
# longest word of a class name is as long.
_NARROWEST = 13


def device_table(
    groups: Iterable[Owned],
    ungrouped: Iterable[Device],
    style: Style = PLAIN,
    relations: Relations | None = None,
) -> str:
    """Return the table of ``list``: one line a device, the group on its first.

    With ``relations`` a line below a device says what the host uses it for.
    """
    rows: list[list[str]] = []
    below: list[str] = []

    def add(first: list[str], cells: list[str], used: str = "") -> None:
        rows.append([*first, *cells])
        below.append(used)

    def add_device(first: list[str], device: Device) -> None:
        used = "" if relations is None else use_line(relations, device)
        add(first, _device_cells(device), used)

    for owned in groups:
        group = owned.group
        first = [_heading(group), owned.ownership.value]
        for device in group.devices:
            add_device(first, device)
            first = ["", ""]
        if not group.devices:
            add(first, ["(no devices)", "", ""])
    for device in ungrouped:
        add_device(["-", "-"], device)
    headers = ["GROUP", "OWNERSHIP", "DEVICE", "DRIVER", "DESCRIPTION"]
    return table(
        headers,
        rows,
        style,
        paints={1: _OWNERSHIP_COLOURS},
        below=below,
        narrowest=_NARROWEST,
    )


def _heading(group: Group) -> str:
    """Return a group's number, marked where it is predicted, and may lack members."""
    if not group.predicted:
        return group.id
    return f"{group.id} predicted{'' if group.whole else '?'}"


def _device_cells(device: Device) -> list[str]:
    return [device.address, driver_mark(device), describe(device)]


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
