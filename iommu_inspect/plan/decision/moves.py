"""What a plan decides about a device, in the words that all output uses."""

from __future__ import annotations

import enum
from collections.abc import Iterable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import VFIO_DRIVERS, has_vfio_driver, normalised
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.rules._cures import AnotherSlot, Cure
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.finding import Certainty, Finding

__all__ = [
    "NOT_TOLD",
    "NO_GROUP",
    "UIO",
    "VFIO_PCI",
    "Decision",
    "Move",
    "Refusal",
    "move_words",
    "moved",
    "of_finding",
]

VFIO_PCI = "vfio-pci"
UIO = "uio_pci_generic"
# Stands for the group of a device that has none; DPDK can do without.
NO_GROUP = Group("-", ())
# Stands for the driver of a device where a conditional plan supposes that there is
# one; no command is written with it.
NOT_TOLD = "(its driver)"


class Decision(enum.Enum):
    """What becomes of one device.

    ``MOVES``: it goes to another driver. ``RELEASED``: its driver lets go of it, it
    stays in the host, and is kept from getting a driver. ``STAYS``: nothing is done to
    it. ``NEVER``: nothing may be done to it: the host lives on it, or what was asked
    for would go with its driver. ``UNTOLD``: whether something has to be done cannot be
    told.
    """

    MOVES = "moves"
    RELEASED = "released"
    STAYS = "stays"
    NEVER = "never"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Refusal:
    """One reason why there is no plan: the rule whose page explains it, and cures.

    ``certain`` is false where a fact is missing: the plan is then not refused, it
    cannot be made. ``elsewhere`` says that another slot may help, ``final`` that no
    ``--accept`` passes it over. ``asks`` are devices that would have to be asked for
    as well.
    """

    rule: str
    certain: bool
    message: str
    remedy: str = ""
    cures: tuple[Cure, ...] = ()
    elsewhere: bool = False
    final: bool = False
    asks: tuple[DeviceId, ...] = ()


@dataclass(frozen=True, slots=True)
class Move:
    """The decision about one member of a group, and why.

    ``asked`` says that it was asked for by name; ``becomes`` is the driver that a
    device which moves goes to. ``group`` is ``NO_GROUP`` where it has none. ``costs``
    say what goes with its driver of now, a sentence each. ``refusal`` is set where the
    decision stands in the way of a plan.
    """

    device: Device
    group: Group
    decision: Decision
    why: str
    asked: bool
    becomes: str = VFIO_PCI
    costs: tuple[str, ...] = ()
    refusal: Refusal | None = None

    @property
    def changes(self) -> bool:
        """Say whether anything is done to the device."""
        return self.decision in (Decision.MOVES, Decision.RELEASED)

    @property
    def to_vfio(self) -> bool:
        """Say whether the device goes to a vfio driver."""
        goes = self.decision is Decision.MOVES
        return goes and normalised(self.becomes) in VFIO_DRIVERS

    @property
    def by_vfio(self) -> bool:
        """Say whether the device ends on a vfio driver, or stays on one."""
        stays = self.decision is Decision.STAYS
        return self.to_vfio or (stays and has_vfio_driver(self.device) is True)

    @property
    def override(self) -> str:
        """The driver_override that the device gets: ``none`` keeps drivers away."""
        return self.becomes if self.decision is Decision.MOVES else "none"


def of_finding(finding: Finding) -> Refusal:
    """Turn an error of a rule into a reason."""
    certain = finding.certainty is not Certainty.UNKNOWN
    return Refusal(
        finding.rule,
        certain,
        finding.message,
        finding.remedy,
        finding.cures,
        elsewhere=any(isinstance(cure, AnotherSlot) for cure in finding.cures),
    )


def moved(moves: Iterable[Move]) -> tuple[Move, ...]:
    """Return those that do something, in the order of the devices."""
    return tuple(sorted((m for m in moves if m.changes), key=lambda m: m.device.id))


def move_words(moves: Iterable[Move]) -> tuple[str, ...]:
    """Say in a few words, as orders, what is done to devices."""
    to: dict[str, list[Device]] = {}
    released = []
    for move in moved(moves):
        if move.decision is Decision.MOVES:
            to.setdefault(move.becomes, []).append(move.device)
        elif move.device.driver is not None:
            released.append(move.device)
    words = [f"bind {addresses(devices)} to {driver}" for driver, devices in to.items()]
    if released:
        its = "its driver" if len(released) == 1 else "their drivers"
        words.append(f"take {addresses(released)} off {its}")
    return tuple(words)
