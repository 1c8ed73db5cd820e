"""Why a device shares its group: one reason for each of its neighbours."""

from __future__ import annotations

from iommu_inspect.kernel.grouping.acs.off import why_off
from iommu_inspect.kernel.grouping.acs.unseen import FILES, Doubt, root_would_see
from iommu_inspect.kernel.grouping.making.joining import (
    Grouping,
    Mechanism,
    Placement,
)
from iommu_inspect.kernel.grouping.making.recompute import (
    Agreement,
    Recomputed,
    recompute,
)
from iommu_inspect.kernel.grouping.telling.pairs import (
    Ends,
    apart,
    joined_by_acs,
    joined_by_alias,
    joined_by_slot,
    vmd_above,
)
from iommu_inspect.kernel.grouping.telling.streams import why_one_stream
from iommu_inspect.kernel.grouping.telling.suspects import suspects
from iommu_inspect.kernel.grouping.telling.unexplained import unexplained
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.group import Group
from iommu_inspect.model.pci.regs import PciExpType

__all__ = ["Hop", "Pair", "Reason", "Sharing", "pair", "sharing"]


@dataclass(frozen=True, slots=True)
class Hop:
    """A device on the way from the one asked about up to the root.

    ``loses`` marks where isolation is lost; ``needs_acs`` says whether the kernel
    asks for ACS here (of ports, and of one of several functions). ``off`` says why
    controls that are there are off, if that can be told; ``by_root`` whether only root
    would have seen its ACS.
    """

    device: Device
    isolates: bool | None
    loses: bool
    needs_acs: bool | None
    off: str | None
    by_root: bool = False


@dataclass(frozen=True, slots=True)
class Reason:
    """Why one neighbour is in the group; ``at`` is where isolation is lost.

    ``doubts`` are what was not seen, where that leaves the reason unknown.
    """

    neighbour: Device
    mechanism: str
    at: Device | None
    evidence: str
    doubts: tuple[Doubt, ...] = ()


@dataclass(frozen=True, slots=True)
class Sharing:
    """A device's group explained, as far as the source allows.

    ``suspects`` are sentences: what may have made the kernel's group another one than
    isolation gives now. Empty where the two agree. ``from_text`` says that the source
    is a text, not files.
    """

    device: Device
    group: Group | None
    path: tuple[Hop, ...]
    reasons: tuple[Reason, ...]
    recomputed: Agreement
    suspects: tuple[str, ...] = ()
    from_text: bool = False

    @property
    def told(self) -> bool:
        """Say whether the group is known, and of each neighbour why it is in it."""
        if self.group is None:
            return known(self.device.group)
        unknown = Mechanism.UNKNOWN.value
        return self.group.whole and all(
            reason.mechanism != unknown for reason in self.reasons
        )


@dataclass(frozen=True, slots=True)
class Pair:
    """Whether two devices share a group (``None``: cannot be told), and why."""

    one: Device
    other: Device
    shared: bool | None
    mechanism: str | None
    at: Device | None
    evidence: str
    doubts: tuple[Doubt, ...] = ()


def sharing(
    grouping: Grouping, device: Device, found: Recomputed | None = None
) -> Sharing:
    """Explain the group of a device.

    Args:
        grouping: The machine's.
        device: The device asked about.
        found: What ``recompute()`` returned for the machine, if that was asked.
    """
    group = grouping.machine.group_of(device)
    hops = [d for d in [device, *grouping.topology.upwards(device)] if d.is_pci]
    if group is None:
        path = tuple(_hop(grouping, hop, ()) for hop in hops)
        untold = not known(device.group)
        says = "the source does not tell its group" if untold else "it has no group"
        return Sharing(device, None, path, (), Agreement(None, says))
    found = found or recompute(grouping.machine)
    reasons = tuple(
        _reason(grouping, found, device, other)
        for other in group.devices
        if other is not device
    )
    lost = tuple(reason.at for reason in reasons if reason.at is not None)
    agreement = found.agreement(group)
    doubts = suspects(grouping, found, group) if agreement.agrees is False else ()
    path = tuple(_hop(grouping, hop, lost) for hop in hops)
    text = grouping.machine.source.kind not in FILES
    return Sharing(device, group, path, reasons, agreement, doubts, text)


def pair(grouping: Grouping, found: Recomputed, one: Device, other: Device) -> Pair:
    """Say whether and why two devices share a group, or why they do not."""
    groups = [grouping.machine.group_of(device) for device in (one, other)]
    for device, group in zip((one, other), groups, strict=True):
        if group is not None:
            continue
        if not known(device.group):
            why = f"the source does not tell the group of {device.address}"
            return Pair(one, other, None, None, None, why)
        why = f"{device.address} has no IOMMU group"
        return Pair(one, other, False, None, None, why)
    if groups[0] is not groups[1]:
        return Pair(one, other, False, None, None, apart(grouping, one, other))
    reason = _reason(grouping, found, one, other)
    told = reason.mechanism, reason.at, reason.evidence, reason.doubts
    return Pair(one, other, True, *told)


def _hop(grouping: Grouping, device: Device, lost: tuple[Device, ...]) -> Hop:
    isolates = grouping.isolates(device)
    loses = any(device is at for at in lost)
    off = why_off(grouping.machine, device)
    needs_acs = _needs_acs(grouping, device)
    by_root = root_would_see(grouping.machine, device)
    return Hop(device, isolates, loses, needs_acs, off, by_root)


def _needs_acs(grouping: Grouping, device: Device) -> bool | None:
    kind = device.pci.pcie_type
    if not known(kind):
        return None
    if kind in (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM):
        return True
    return grouping.multifunction(device)


def _reason(
    grouping: Grouping, found: Recomputed, device: Device, other: Device
) -> Reason:
    if not device.is_pci or not other.is_pci:
        return _outside_pci(grouping, device, other)
    behind_vmd = _by_vmd(grouping, device, other)
    if behind_vmd is not None:
        return behind_vmd
    otherwise = grouping.otherwise
    if otherwise is not None and not otherwise.alone:
        return Reason(other, Mechanism.UNKNOWN.value, None, otherwise.because)
    steps = _chain(found, device, other)
    by_quirk = any(s.mechanism is Mechanism.ALIAS_QUIRK for s in steps)
    physical = _physical(grouping, device, other) if steps and not by_quirk else None
    if physical is not None:
        return physical
    for step in steps:
        if step.mechanism is not Mechanism.ALONE:
            return Reason(other, step.mechanism.value, step.at, step.because)
    because, doubts = unexplained(grouping, found, device, other)
    return Reason(other, Mechanism.UNKNOWN.value, None, because, doubts)


def _physical(grouping: Grouping, device: Device, other: Device) -> Reason | None:
    """Say what joins two functions that isolation puts into one group."""
    ends = Ends(grouping, device, other)
    alias = joined_by_alias(ends)
    if alias is not None:
        return Reason(other, Mechanism.DMA_ALIAS.value, *alias)
    slot = joined_by_slot(grouping, ends)
    if slot is not None:
        return Reason(other, Mechanism.MULTIFUNCTION.value, *slot)
    leak = joined_by_acs(grouping, ends)
    return Reason(other, Mechanism.ACS_PATH.value, *leak) if leak else None


def _by_vmd(grouping: Grouping, device: Device, other: Device) -> Reason | None:
    """Say that requests from behind a VMD carry its id (``pci_real_dma_dev()``)."""
    above = [vmd_above(grouping.machine, d) for d in (device, other)]
    real = [vmd or d for vmd, d in zip(above, (device, other), strict=True)]
    vmd = above[0] or above[1]
    if vmd is None or real[0] is not real[1]:
        return None
    behind = [d.address for d, v in zip((device, other), above, strict=True) if v]
    because = (
        f"{' and '.join(behind)} {'is' if len(behind) == 1 else 'are'} behind the "
        f"VMD {vmd.address}, and requests from there carry its requester id"
    )
    return Reason(other, Mechanism.VMD.value, vmd, because)


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


def _outside_pci(grouping: Grouping, device: Device, other: Device) -> Reason:
    if untold := [d for d in (device, other) if not known(d.bus)]:
        because = f"the source does not tell which bus {untold[0].address} is on"
        return Reason(other, Mechanism.UNKNOWN.value, None, because)
    if not device.is_pci and not other.is_pci:
        stream = why_one_stream(grouping.machine, device, other)
        if stream is not None:
            return Reason(other, "shared-stream", None, stream)
        because = "different IOMMUs translate for them; what joins them is not shown"
        return Reason(other, Mechanism.UNKNOWN.value, None, because)
    because = "one of them is not on the PCI bus; what joins them is not shown"
    return Reason(other, Mechanism.UNKNOWN.value, None, because)
