"""PCI functions at places, of which all is known that isolation hangs on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from builders import device

from iommu_inspect.model.device import Acs, Device
from iommu_inspect.model.pci.regs import PciExpType

ON, OFF = Acs(0x1D, 0x1D), Acs(0x1D, 0)
ROOT, END = PciExpType.ROOT_PORT, PciExpType.ENDPOINT


def at(address: str, above: str = "", **pci: Any) -> Device:
    """A function below the path of bridges ``above``."""
    bridge = pci.pop("bridge", False)
    ids = pci.pop("ids", None)
    made = device(address, None, bridge=bridge, group=pci.pop("group", "1"))
    facts = {"acs": None, "sriov": None, "pcie_type": END, **pci}
    return replace(
        made,
        path=f"sys/devices/pci0000:00{above}/{address}",
        pci=replace(made.pci, **facts),
        ids=ids or made.ids,
    )


def port(address: str, acs: Any = ON, above: str = "", kind: Any = ROOT) -> Device:
    return at(address, above, bridge=True, acs=acs, pcie_type=kind)


RP1, RP2 = port("0000:00:01.0"), port("0000:00:02.0")
CARD1 = at("0000:01:00.0", "/0000:00:01.0")
CARD2 = at("0000:02:00.0", "/0000:00:02.0")
