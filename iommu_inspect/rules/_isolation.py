"""Where two devices of a group lose their isolation, and whether a slot helps."""

from __future__ import annotations

from iommu_inspect.kernel.grouping.making.joining import Grouping, Mechanism, same_slot
from iommu_inspect.kernel.grouping.telling.sharing import Pair, pair
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.pci.regs import PciExpType
from iommu_inspect.model.text import shown
from iommu_inspect.rules.base import Case

__all__ = ["Lost", "lost"]


@dataclass(frozen=True, slots=True)
class Lost:
    """A sentence on where isolation is lost, and whether another slot parts the two.

    ``slot`` is ``None`` where that cannot be told.
    """

    text: str
    slot: bool | None


def lost(case: Case, one: Device, other: Device) -> Lost:
    """Say what joins two members of a group, as the kernel's grouping explains it."""
    name = ("lost", one.id, other.id)
    return case.inquiry.once(name, lambda: _lost(case, one, other))


def _lost(case: Case, one: Device, other: Device) -> Lost:
    grouping, recomputed = case.grouping, case.recomputed
    found = pair(grouping, recomputed, one, other)
    names = f"{shown(one.address)} and {shown(other.address)}"
    match found.mechanism:
        case "multifunction":
            return _in_a_slot(found, names)
        case "acs-path":
            return _at_a_port(grouping, found, names)
        case "dma-alias" if found.at is not None:
            return Lost(
                f"The bridge {shown(found.at.address)} makes the requests of {names} "
                "look alike: a slot that is not behind it parts them.",
                True,
            )
        case "vmd" if found.at is not None:
            return Lost(
                f"What is behind the VMD {shown(found.at.address)} carries its "
                "requester id: without VMD (in the firmware's set-up) they are apart.",
                False,
            )
        case Mechanism.ALIAS_QUIRK.value:
            return Lost(
                f"A quirk of the hardware makes the requests of {names} look alike: no "
                "slot parts them.",
                False,
            )
        case _:
            return Lost(
                f"Where {names} lose their isolation cannot be told from this source.",
                None,
            )


def _in_a_slot(found: Pair, names: str) -> Lost:
    if same_slot(found.one, found.other):
        return Lost(
            f"{names} are functions of one card, which does not isolate them: no "
            "other slot parts them.",
            False,
        )
    at = shown(found.at.address) if found.at else "a port"
    return Lost(
        f"Isolation is lost at {at}, above them, one of several functions that do not "
        "isolate: a slot elsewhere parts them.",
        True,
    )


def _at_a_port(grouping: Grouping, found: Pair, names: str) -> Lost:
    at = found.at
    if at is None:
        return Lost("Isolation is lost on the way up.", None)
    kind = "root port" if at.pci.pcie_type is PciExpType.ROOT_PORT else "port"
    text = f"Isolation is lost at {shown(at.address)}, a {kind} above"
    ends = [found.one, found.other]
    if not same_slot(*ends):
        return Lost(f"{text}: a slot below a port that isolates parts {names}.", True)
    isolate = [grouping.isolates(end) for end in ends]
    if all(isolate):
        return Lost(
            f"{text}, and not in the card: in a slot below a port that isolates, "
            f"{names} are apart.",
            True,
        )
    return Lost(
        f"{text}; whether the card itself would part {names} in a better slot cannot "
        "be told.",
        None,
    )
