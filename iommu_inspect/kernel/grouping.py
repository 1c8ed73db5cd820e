"""Which group a device joins when it appears: what ``pci_device_group()`` asks.

Read in drivers/iommu/iommu.c, drivers/pci/search.c and drivers/pci/pci.c of v6.12 and
v7.3; written down in docs as rules, not as code. ``None`` stands for "cannot be told".
"""

from __future__ import annotations

from dataclasses import dataclass

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Acs, Device, Group, Machine, PcieType

__all__ = ["REQUIRED_ACS", "Joins", "acs_isolates", "group_of_newcomer"]

# Source Validation, P2P Request Redirect, P2P Completion Redirect, Upstream Forwarding.
REQUIRED_ACS = 0x01 | 0x04 | 0x08 | 0x10
_EGRESS_CONTROL = 0x20

# Vendors of which the kernel takes some functions for isolated though their registers
# do not say so (pci_dev_acs_enabled[] in drivers/pci/quirks.c).
_VENDORS_WITH_QUIRKS = frozenset(
    {
        0x1002, 0x1022, 0x10DF, 0x10E8, 0x10EC, 0x1137, 0x14E4, 0x17CB, 0x177D,
        0x17D5, 0x1924, 0x19E5, 0x1957, 0x1C36, 0x1D17, 0x1E0B, 0x0014, 0x8086,
        0x8088, 0x1000,
    }
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Joins:
    """The answer for a newcomer.

    ``group`` is the group that it joins; without one, it gets a ``new`` group of its
    own, or (``new`` is ``None``) the source does not tell. ``because`` says why.
    """

    group: Group | None
    new: bool | None
    because: str


def acs_isolates(device: Device) -> bool | None:
    """Say whether a function keeps requests from its peers (``pci_acs_enabled()``).

    Conventional devices and bridges to them never do. Ports need the capability with
    the required bits on, where a bit that is not implemented counts as on; a
    single-function endpoint has no peers to redirect to.
    """
    kind = device.pci.pcie_type
    if isinstance(kind, Missing):
        return None
    if kind is None or kind in (
        PcieType.PCIE_TO_PCI_BRIDGE,
        PcieType.PCI_TO_PCIE_BRIDGE,
        PcieType.ROOT_COMPLEX_EVENT_COLLECTOR,
    ):
        return _unless_quirk(device)
    is_port = kind in (PcieType.ROOT_PORT, PcieType.DOWNSTREAM_PORT)
    if not is_port:
        multifunction = device.pci.multifunction
        if isinstance(multifunction, Missing):
            return None
        if not multifunction:
            return True
    acs = device.pci.acs
    if isinstance(acs, Missing):
        return None
    if acs is not None and _has_required(acs):
        return True
    return _unless_quirk(device)


def _has_required(acs: Acs) -> bool:
    wanted = REQUIRED_ACS & (acs.capability | _EGRESS_CONTROL)
    return acs.control & wanted == wanted


def _unless_quirk(device: Device) -> bool | None:
    return None if device.ids.vendor in _VENDORS_WITH_QUIRKS else False


def _path_isolates(bridges: list[Device]) -> bool | None:
    """Say whether every bridge of a path up to the root isolates."""
    answers = [acs_isolates(bridge) for bridge in bridges]
    if False in answers:
        return False
    return None if None in answers else True


def _aliases(bridge: Device) -> bool | None:
    """Say whether a bridge puts its own requester id on what passes through it."""
    kind = bridge.pci.pcie_type
    if isinstance(kind, Missing):
        return None
    return kind not in (
        PcieType.ROOT_PORT,
        PcieType.UPSTREAM_PORT,
        PcieType.DOWNSTREAM_PORT,
    )


def group_of_newcomer(machine: Machine, bridges: list[Device]) -> Joins:
    """Say which group a single-function newcomer joins.

    Args:
        machine: The host before the newcomer is there.
        bridges: The bridges above it, the nearest first; none on a root bus.
    """
    if not machine.groups_known:
        return Joins(None, None, "the source does not show IOMMU groups")
    if not machine.groups:
        return Joins(None, False, "no IOMMU is at work")
    for bridge in bridges:
        aliases = _aliases(bridge)
        if aliases is None:
            return Joins(None, None, _untold(bridge))
        if aliases:
            why = f"the bridge {bridge.address} hides who sent a request"
            return _of_bridge(machine, bridge, why)
    for index, bridge in enumerate(bridges):
        isolated = _path_isolates(bridges[index:])
        if isolated:
            break
        if isolated is None:
            return Joins(None, None, _untold(*bridges[index:]))
        why = f"ACS is not in effect from {bridge.address} up to the root"
        joined = _of_bridge(machine, bridge, why)
        if joined.group is not None or joined.new is None:
            return joined
    return Joins(None, True, "every port above it isolates it (ACS)")


def _of_bridge(machine: Machine, bridge: Device, why: str) -> Joins:
    group = machine.group_of(bridge)
    if group is not None:
        return Joins(group, False, why)
    if isinstance(bridge.group, Missing):
        return Joins(
            None, None, f"the source does not tell the group of {bridge.address}"
        )
    return Joins(None, True, why)


def _untold(*bridges: Device) -> str:
    names = ", ".join(bridge.address for bridge in bridges)
    return (
        f"whether {names} isolates cannot be told without its whole configuration "
        "space, which only root can read"
    )
