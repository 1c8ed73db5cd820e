"""What a PCI function is to the bus: a port, a bridge, an endpoint."""

from __future__ import annotations

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.pci.regs import PciExpType

__all__ = ["place_name"]

_NAMES = {
    PciExpType.ENDPOINT: "endpoint",
    PciExpType.LEG_END: "legacy endpoint",
    PciExpType.ROOT_PORT: "root port",
    PciExpType.UPSTREAM: "switch upstream port",
    PciExpType.DOWNSTREAM: "switch downstream port",
    PciExpType.PCI_BRIDGE: "PCIe-to-PCI bridge",
    PciExpType.PCIE_BRIDGE: "PCI-to-PCIe bridge",
    PciExpType.RC_END: "integrated endpoint",
    PciExpType.RC_EC: "event collector",
}


def place_name(device: Device) -> str:
    """Return what its PCI Express capability says it is, "?" where that is not told."""
    kind = device.pci.pcie_type
    if not known(kind):
        return "bridge" if device.is_bridge is True else "?"
    if kind is None:
        bridge = device.is_bridge is True
        return "conventional bridge" if bridge else "conventional device"
    names = {int(type_): name for type_, name in _NAMES.items()}
    return names.get(kind, f"type {kind}")
