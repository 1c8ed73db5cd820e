"""Why a device shares its group: one reason for each of its neighbours."""

from __future__ import annotations

from dataclasses import dataclass

from iommu_inspect.kernel.grouping import (
    Grouping,
    Mechanism,
    Placement,
    not_isolated_functions,
    same_slot,
)
from iommu_inspect.kernel.recompute import Agreement, Recomputed, recompute
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Device, Group

__all__ = ["Hop", "Reason", "Sharing", "sharing"]


@dataclass(frozen=True, slots=True)
class Hop:
    """A device on the way from the one asked about up to the root."""

    device: Device
    isolates: bool | None


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one neighbour is in the group; ``at`` is where isolation is lost."""

    neighbour: Device
    mechanism: str
    at: Device | None
    evidence: str


@dataclass(frozen=True, slots=True)
class Sharing:
    """A device's group explained, as far as the source allows."""

    device: Device
    group: Group | None
    path: tuple[Hop, ...]
    reasons: tuple[Reason, ...]
    recomputed: Agreement


def sharing(grouping: Grouping, device: Device) -> Sharing:
    """Explain the group of a device."""
    group = grouping.machine.group_of(device)
    hops = [device, *grouping.topology.upwards(device)]
    path = tuple(Hop(hop, grouping.isolates(hop)) for hop in hops if hop.is_pci)
    if group is None:
        none = Agreement(None, "the device has no group")
        return Sharing(device, None, path, (), none)
    found = recompute(grouping.machine)
    reasons = tuple(
        _reason(found, device, other) for other in group.devices if other is not device
    )
    return Sharing(device, group, path, reasons, found.agreement(group))


def _reason(found: Recomputed, device: Device, other: Device) -> Reason:
    if not device.is_pci or not other.is_pci:
        return _outside_pci(device, other)
    for placement in _chain(found, device, other):
        if placement.mechanism is Mechanism.MULTIFUNCTION and same_slot(device, other):
            because = not_isolated_functions(device, other)
            return Reason(other, placement.mechanism.value, device, because)
        if placement.mechanism is not Mechanism.ALONE:
            return Reason(
                other, placement.mechanism.value, placement.at, placement.because
            )
    return Reason(other, Mechanism.UNKNOWN.value, None, _unexplained(device))


def _chain(found: Recomputed, one: Device, other: Device) -> list[Placement]:
    """Return the placements that lead one of the two to the other, if any do.

    Both climb to whom they join until they meet; the first step that the one asked
    about takes explains most.
    """
    own, theirs = _climb(found, one), _climb(found, other)
    meeting = next((a for a in own if a in theirs), None)
    if meeting is None:
        return []
    steps = own[: own.index(meeting)] or theirs[: theirs.index(meeting)]
    return [found.placements[address] for address in steps]


def _climb(found: Recomputed, device: Device) -> list[str]:
    """Return the addresses from a device up along whom each one joins."""
    addresses = [device.address]
    while True:
        placement = found.placements.get(addresses[-1])
        if placement is None or placement.joins is None:
            return addresses
        if placement.joins.address in addresses:
            return addresses
        addresses.append(placement.joins.address)


def _outside_pci(device: Device, other: Device) -> Reason:
    if not device.is_pci and not other.is_pci:
        because = (
            "both are behind the same stream ids, or the driver of their IOMMU makes "
            "one group for all that is behind it; the source does not tell which"
        )
        return Reason(other, "shared-stream", None, because)
    because = "one of them is not on the PCI bus; what joins them is not shown"
    return Reason(other, Mechanism.UNKNOWN.value, None, because)


def _unexplained(device: Device) -> str:
    config = device.pci.acs
    if isinstance(config, Missing):
        return (
            "ACS cannot be seen: without root only 64 bytes of configuration space can "
            "be read; run as root, or look at 'lspci -vvv' as root"
        )
    if device.is_below_vmd:
        return "VMD: the device that translates for the whole domain is not shown"
    return (
        "isolation does not explain it: a quirk that configuration space does not "
        "show, or ACS that was changed after boot"
    )
