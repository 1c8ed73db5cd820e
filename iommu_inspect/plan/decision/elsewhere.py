"""Where else in this host a card would have a group of its own."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from iommu_inspect.kernel.grouping.making.joining import Grouping
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.model.text import shown

__all__ = ["Slots", "isolating_slots", "slots_text"]

_MOST = 3

_PORTS = (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM)


@dataclass(frozen=True, slots=True)
class Slots:
    """Ports below which a card would be in a group of its own.

    ``free`` have nothing below them; whether the board has a slot there, or only
    unused lanes, no register tells. ``taken`` have a card that would have to move.
    ``told`` is false where of some ports it cannot be told.
    """

    free: tuple[Device, ...]
    taken: tuple[Device, ...]
    told: bool


def isolating_slots(machine: Machine, now: Iterable[Device] = ()) -> Slots:
    """Look at every port of the host in its order, but those above devices of ``now``.

    Below one the path from which up isolates (``pci_acs_path_enabled()``) a card with
    one function, or whose functions isolate, is in a group of its own. Where a card
    has one now, the kernel's own grouping says so.
    """
    grouping = Grouping(machine)
    free, taken = [], []
    untold = False
    above = {p.id for device in now for p in grouping.topology.upwards(device)}
    for port in _ports(machine):
        if port.id in above:
            continue
        below = grouping.topology.children(port)
        isolates = grouping.path_isolates([port, *grouping.topology.upwards(port)])
        if _apart(machine, below):
            isolates = True
        untold = untold or isolates is None
        if isolates is not True:
            continue
        if not below:
            free.append(port)
        elif all(d.is_bridge is False for d in below):
            taken.append(port)
    return Slots(tuple(free), tuple(taken), told=not untold)


def _apart(machine: Machine, card: Sequence[Device]) -> bool:
    """Say whether the groups of a card hold nothing but its functions."""
    groups = [machine.group_of(d) for d in card]
    inside = {d.id for d in card}
    return bool(card) and all(
        group is not None and all(d.id in inside for d in group.devices)
        for group in groups
    )


def _ports(machine: Machine) -> Iterator[Device]:
    """Yield what is a port, or may be one as far as the source tells."""
    for device in machine.devices:
        kind = device.pci.pcie_type
        if device.is_bridge is True and (kind in _PORTS or not known(kind)):
            yield device


def slots_text(machine: Machine, now: Iterable[Device]) -> str:
    """Say in a sentence or two which other slots would help devices of ``now``."""
    slots = isolating_slots(machine, now)
    sentences = []
    if slots.free:
        sentences.append(
            f"Below {_some(slots.free)}, which {_has(slots.free)} nothing below, a "
            "card has a group of its own, if the board has a slot there."
        )
    if slots.taken:
        where = "So it has" if sentences else "A card has a group of its own"
        sentences.append(f"{where} in the slot below {_some(slots.taken)}.")
    if not sentences:
        return (
            "No other port of this host isolates what is in its slot."
            if slots.told
            else "Which of this host's slots isolate cannot be told from this source."
        )
    return " ".join(sentences)


def _some(ports: Sequence[Device]) -> str:
    names = [shown(port.address) for port in ports[:_MOST]]
    more = len(ports) - len(names)
    names += [f"{more} more"] if more else []
    return " or ".join((", ".join(names[:-1]), names[-1])) if names[1:] else names[0]


def _has(ports: Sequence[Device]) -> str:
    return "has" if len(ports) == 1 else "have"
