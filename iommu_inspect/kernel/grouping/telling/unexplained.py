"""Why it cannot be said what joins two functions, or that nothing seen does.

That isolation does not explain a group is said only where isolation was seen: of every
function that decides where the two belong. What was not seen explains nothing.
"""

from __future__ import annotations

from iommu_inspect.kernel.grouping.acs.unseen import Doubt, Unseen
from iommu_inspect.kernel.grouping.making.joining import Grouping, same_slot
from iommu_inspect.kernel.grouping.making.recompute import Recomputed
from iommu_inspect.model.device import Device

__all__ = ["unexplained"]

_SEEN = "isolation as it is now does not explain it; the kernel's group counts"
_MOST = 4


def unexplained(
    grouping: Grouping, found: Recomputed, device: Device, other: Device
) -> tuple[str, tuple[Doubt, ...]]:
    """Return a sentence for two functions of one group that no reason was found for.

    With it comes what was not seen, of much the first; nothing where all was.
    """
    ends = (device, other)
    doubts = [*_in_the_slot(grouping, device, other)]
    for end in ends:
        if end.is_below_vmd:
            because = (
                "VMD: the device that translates for the whole domain is not shown"
            )
            doubts.append(Doubt(end, Unseen.PLACE, because))
        doubts += found.doubts.get(end.address, ())
    told = tuple(dict.fromkeys(doubts))
    if told:
        return told[0].because, told[:_MOST]
    group = grouping.machine.group_of(device)
    if group is not None and not group.whole:
        because = (
            "the source does not show all functions of the host, and one that it "
            "leaves out may join them"
        )
        return because, (Doubt(device, Unseen.PLACE, because),)
    return _SEEN, ()


def _in_the_slot(grouping: Grouping, device: Device, other: Device) -> list[Doubt]:
    """Return what was not seen of functions of one slot, which decides first."""
    address, beside = device.pci_address, other.pci_address
    if address is None or beside is None or not same_slot(device, other):
        return []
    if (address.domain, address.bus) != (beside.domain, beside.bus):
        return []
    ends = (device, other)
    return [grouping.doubt(end) for end in ends if grouping.isolates(end) is None]
