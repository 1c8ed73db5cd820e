"""``pci_device_group()`` of v7.3, written once more, without the program's help.

It follows drivers/iommu/iommu.c, drivers/pci/pci.c, search.c and probe.c function by
function and keeps their names, so that it can be held beside them. Everything is known
here: where the program says that it cannot tell, there is nothing to compare.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from port.quirks import (
    BRIDGE_XLATE_ROOT,
    PCI_BRIDGE_NO_ALIAS,
    dma_alias_mask,
    pci_dev_specific_acs_enabled,
    pci_disable_broken_acs_cap,
)

__all__ = ["ACS", "EC", "REQ_ACS_FLAGS", "Bus", "Dev", "groups_of"]

SV, TB, RR, CR, UF, EC, DT = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20, 0x40
ACS = (SV, TB, RR, CR, UF, EC, DT)
REQ_ACS_FLAGS = SV | RR | CR | UF

ENDPOINT, LEG_END, ROOT_PORT, UPSTREAM, DOWNSTREAM = 0, 1, 4, 5, 6
PCI_BRIDGE, PCIE_BRIDGE, RC_END, RC_EC = 7, 8, 9, 10


@dataclass(eq=False)
class Bus:
    """``struct pci_bus``: ``bridge`` is ``self``, which virtual buses lack."""

    number: int
    bridge: Dev | None = None
    parent: Bus | None = None


@dataclass(eq=False)
class Dev:
    """``struct pci_dev``, as far as grouping asks for it."""

    bus: Bus
    devfn: int
    vendor: int = 0
    device: int = 0
    subsystem_vendor: int = 0
    subsystem_device: int = 0
    pcie_type: int | None = None  # None: pci_is_pcie() says no
    header_multifunction: bool = False
    is_virtfn: bool = False
    acs_cap: bool = False
    acs_capabilities: int = 0
    acs_ctrl: int = 0
    ivrs: bool = False
    group: list[Dev] | None = field(default=None, repr=False)

    @property
    def multifunction(self) -> bool:
        """probe.c sets it for each function above 0; iov.c clears it."""
        if self.is_virtfn:
            return False
        return self.header_multifunction or self.devfn & 7 > 0

    @property
    def ids(self) -> tuple[int, int]:
        return self.vendor, self.device


def pci_is_root_bus(bus: Bus) -> bool:
    return bus.parent is None


def pci_acs_flags_enabled(pdev: Dev, acs_flags: int) -> bool:
    if not pdev.acs_cap:
        return False
    capabilities = pci_disable_broken_acs_cap(pdev.ids, pdev.acs_capabilities)
    acs_flags &= capabilities | EC
    return pdev.acs_ctrl & acs_flags == acs_flags


def pci_acs_enabled(pdev: Dev, acs_flags: int) -> bool:
    specific = pci_dev_specific_acs_enabled(pdev, acs_flags)
    if specific is not None:
        return specific
    if pdev.pcie_type is None:
        return False
    if pdev.pcie_type in (PCIE_BRIDGE, PCI_BRIDGE, RC_EC):
        return False
    if pdev.pcie_type in (DOWNSTREAM, ROOT_PORT):
        return pci_acs_flags_enabled(pdev, acs_flags)
    if pdev.pcie_type in (ENDPOINT, UPSTREAM, LEG_END, RC_END) and pdev.multifunction:
        return pci_acs_flags_enabled(pdev, acs_flags)
    return True


def pci_acs_path_enabled(start: Dev, acs_flags: int) -> bool:
    """With ``end`` NULL: up to the root bus."""
    pdev = start
    while True:
        if not pci_acs_enabled(pdev, acs_flags):
            return False
        if pci_is_root_bus(pdev.bus):
            return True
        assert pdev.bus.bridge is not None
        pdev = pdev.bus.bridge


def pci_for_each_dma_alias(pdev: Dev, fn: Callable[[Dev], bool]) -> bool:
    """Without the ids that ``fn`` gets: the caller asks for devices alone."""
    if fn(pdev):
        return True
    bus = pdev.bus
    while not pci_is_root_bus(bus):
        assert bus.parent is not None
        tmp, bus = bus.bridge, bus.parent
        if tmp is None:
            continue
        if tmp.ids in BRIDGE_XLATE_ROOT:
            return False
        if tmp.pcie_type in (ROOT_PORT, UPSTREAM, DOWNSTREAM):
            continue
        if tmp.pcie_type == PCI_BRIDGE and tmp.ids in PCI_BRIDGE_NO_ALIAS:
            continue
        # Other types of PCI Express on a bridge fall through the switch.
        asked = tmp.pcie_type is None or tmp.pcie_type in (PCI_BRIDGE, PCIE_BRIDGE)
        if asked and fn(tmp):
            return True
    return False


def pci_devs_are_dma_aliases(dev1: Dev, dev2: Dev) -> bool:
    return dev2.devfn in dma_alias_mask(dev1) or dev1.devfn in dma_alias_mask(dev2)


class Machine:
    """All functions in the order in which the kernel finds them."""

    def __init__(self, devs: list[Dev]) -> None:
        self.devs = devs

    def get_pci_alias_group(self, pdev: Dev, devfns: set[int]) -> list[Dev] | None:
        if pdev.devfn in devfns:
            return None
        devfns.add(pdev.devfn)
        if pdev.group is not None:
            return pdev.group
        for tmp in self.devs:
            if tmp is pdev or tmp.bus is not pdev.bus:
                continue
            if pci_devs_are_dma_aliases(pdev, tmp):
                group = self.get_pci_alias_group(tmp, devfns)
                if group is None:
                    group = self.get_pci_function_alias_group(tmp, devfns)
                if group is not None:
                    return group
        return None

    def get_pci_function_alias_group(
        self, pdev: Dev, devfns: set[int]
    ) -> list[Dev] | None:
        if not pdev.multifunction or pci_acs_enabled(pdev, REQ_ACS_FLAGS):
            return None
        for tmp in self.devs:
            if tmp is pdev or tmp.bus is not pdev.bus:
                continue
            if tmp.devfn >> 3 != pdev.devfn >> 3:
                continue
            if pci_acs_enabled(tmp, REQ_ACS_FLAGS):
                continue
            group = self.get_pci_alias_group(tmp, devfns)
            if group is not None:
                return group
        return None

    def pci_device_group(self, dev: Dev) -> list[Dev]:
        last = dev

        def get_pci_alias_or_group(pdev: Dev) -> bool:
            nonlocal last
            last = pdev
            return pdev.group is not None

        if pci_for_each_dma_alias(dev, get_pci_alias_or_group):
            assert last.group is not None
            return last.group
        pdev = last
        bus = pdev.bus
        while not pci_is_root_bus(bus):
            assert bus.parent is not None
            bridge, bus = bus.bridge, bus.parent
            if bridge is None:
                continue
            if pci_acs_path_enabled(bridge, REQ_ACS_FLAGS):
                break
            pdev = bridge
            if pdev.group is not None:
                return pdev.group
        devfns: set[int] = set()
        group = self.get_pci_alias_group(pdev, devfns)
        if group is None:
            group = self.get_pci_function_alias_group(pdev, devfns)
        return [] if group is None else group


def groups_of(devs: list[Dev]) -> list[list[Dev]]:
    """Give each function its group, one after the other, as they are found."""
    machine, groups = Machine(devs), []
    for dev in devs:
        group = machine.pci_device_group(dev)
        if not group:
            groups.append(group)
        group.append(dev)
        dev.group = group
    return groups
