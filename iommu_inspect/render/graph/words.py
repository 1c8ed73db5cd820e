"""What stands in the box of a device."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.render.devices import describe, kind_name
from iommu_inspect.render.listing.names import brief_kind, brief_name
from iommu_inspect.render.ports import place_name

__all__ = ["noun_of", "short_kind", "what_is"]

_PLURALS = {
    PciExpType.ROOT_PORT: "root ports",
    PciExpType.UPSTREAM: "switches",
    PciExpType.DOWNSTREAM: "switch ports",
}


def what_is(device: Device) -> str:
    """Say what a device is; of a bridge first what kind, of a function if virtual."""
    words = short_kind(device) + describe(device).removeprefix(kind_name(device))
    if device.pci.is_virtual:
        return f"{words} (virtual function of {device.pci.physfn})"
    return words


def short_kind(device: Device) -> str:
    """Say the same in a word or two."""
    kind = kind_name(device)
    if kind == "PCI bridge" and (place := place_name(device)) != "bridge":
        return kind if place == "?" else place
    return kind


def brief_what(device: Device) -> str:
    """Say what a device is where there is little room: ids first, names short."""
    kind = short_kind(device)
    if kind == kind_name(device):
        kind = brief_kind(device)
    pair = device.ids.pair if device.is_pci else None
    words = (kind, pair and f"[{pair}]", brief_name(device) if device.is_pci else "")
    return " ".join(filter(None, words))


def noun_of(device: Device) -> str:
    """Return what several of its kind are called."""
    if device.pci.is_virtual:
        return "virtual functions"
    kind = device.pci.pcie_type
    for type_, plural in _PLURALS.items():
        if known(kind) and kind == type_:
            return plural
    return "bridges" if device.is_bridge is True else "devices"
