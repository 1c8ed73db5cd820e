"""The text and the document of ``why``."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iommu_inspect.kernel.acs_quirks import REQUIRED_ACS
from iommu_inspect.kernel.growth import CanGrow, Growth
from iommu_inspect.kernel.semantics import Semantics
from iommu_inspect.kernel.sharing import Hop, Reason, Sharing
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Acs, Machine, PcieType
from iommu_inspect.model.text import printable
from iommu_inspect.render.documents import head
from iommu_inspect.render.layout import PLAIN, Style, table
from iommu_inspect.render.text import fold

__all__ = ["why_document", "why_text"]

_KINDS = {
    PcieType.ENDPOINT: "endpoint",
    PcieType.LEGACY_ENDPOINT: "legacy endpoint",
    PcieType.ROOT_PORT: "root port",
    PcieType.UPSTREAM_PORT: "switch, upstream port",
    PcieType.DOWNSTREAM_PORT: "switch, downstream port",
    PcieType.PCIE_TO_PCI_BRIDGE: "bridge to conventional PCI",
    PcieType.PCI_TO_PCIE_BRIDGE: "bridge from conventional PCI",
    PcieType.ROOT_COMPLEX_ENDPOINT: "root complex endpoint",
    PcieType.ROOT_COMPLEX_EVENT_COLLECTOR: "root complex event collector",
}
# The required controls, in the order of their bits, by the names that lspci uses.
_BITS = {0x01: "SrcValid", 0x04: "ReqRedir", 0x08: "CmpltRedir", 0x10: "UpstreamFwd"}
_ISOLATES = {True: "yes", False: "NO", None: "?"}


def why_text(found: Sharing, grows: Growth | None, style: Style = PLAIN) -> str:
    """Return the text for one device: path, neighbours, growth."""
    device = found.device
    name = printable(device.address)
    if found.group is None:
        return fold(f"{name} has no IOMMU group.", style.width)
    count = len(found.group.devices)
    shared = "alone" if count == 1 else f"one of {count} devices"
    blocks = [f"{name} is {shared} in group {found.group.id}."]
    blocks.append(_path_text(found, style))
    if found.reasons:
        blocks.append("\n".join(_reason_line(r, style) for r in found.reasons))
    blocks.append(_agreement_text(found, style))
    if grows is not None:
        blocks.append(_growth_text(grows, found, style))
    return "\n\n".join(filter(None, blocks))


def _path_text(found: Sharing, style: Style) -> str:
    headers = ["DEVICE, THEN UP", "WHAT IT IS", "ISOLATES", "ACS"]
    rows = [
        [hop.device.address, _kind(hop), _ISOLATES[hop.isolates], _acs(hop)]
        for hop in found.path
    ]
    return table(headers, rows, style, paints={2: {"NO": "red", "?": "yellow"}})


def _kind(hop: Hop) -> str:
    kind = hop.device.pci.pcie_type
    if isinstance(kind, Missing):
        return "?"
    if kind is None:
        return "conventional bridge" if hop.device.is_bridge is True else "conventional"
    names = {int(known): name for known, name in _KINDS.items()}
    return names.get(kind, f"type {kind}")


def _acs(hop: Hop) -> str:
    """Say what of the required controls is on, off or not there."""
    acs = hop.device.pci.acs
    if isinstance(acs, Missing):
        return "cannot be seen"
    if acs is None:
        return "none" if hop.isolates is not True else "none, and none needed"
    return ", ".join(f"{name} {_bit(acs, bit)}" for bit, name in _BITS.items())


def _bit(acs: Acs, bit: int) -> str:
    if not acs.capability & bit:
        return "not there"
    return "on" if acs.control & bit else "OFF"


def _reason_line(reason: Reason, style: Style) -> str:
    evidence = reason.evidence
    text = f"{reason.neighbour.address} is in it ({reason.mechanism}): {evidence}."
    return fold(text, style.width)


def _agreement_text(found: Sharing, style: Style) -> str:
    if found.recomputed.agrees is True:
        return ""
    if found.recomputed.agrees is None:
        why = found.recomputed.because
        return fold(f"Not checked against isolation: {why}.", style.width)
    return fold(
        "The kernel's group is not the one that isolation gives now "
        f"({found.recomputed.because}). The kernel's counts: a quirk that is not seen "
        "here, ACS changed after boot, or an ACS override would explain it.",
        style.width,
    )


def _growth_text(grows: Growth, found: Sharing, style: Style) -> str:
    if grows.can_grow is CanGrow.NO:
        text = "No way is seen in which the group could grow (a heuristic: the kernel "
        text += "has no concept of a group that stays as it is)."
        return fold(text, style.width)
    if grows.can_grow is CanGrow.UNKNOWN:
        lines = [fold("Whether the group can grow cannot be told:", style.width)]
        ways = grows.untold
    else:
        lines = [fold("The group can grow:", style.width)]
        ways = grows.through
    lines += [fold(f"{way.address}: {way.how}", style.width, "  ") for way in ways]
    if grows.can_grow is CanGrow.YES:
        lines.append(fold(_consequence(found), style.width))
    return "\n".join(lines)


def _consequence(found: Sharing) -> str:
    text = (
        "A claimed group takes the newcomer in; an unclaimed one can no longer be "
        "claimed once a driver of the host binds to the newcomer."
    )
    if found.group is not None and len(found.group.devices) == 1:
        text += (
            " iommu_attach_device() then returns -EINVAL, and a detach of what was "
            "attached before is skipped with a warning."
        )
    return text


def why_document(
    machine: Machine,
    semantics: Semantics,
    answers: Iterable[tuple[Sharing, Growth | None]],
) -> dict[str, Any]:
    """Build ``iommu-inspect/why/1``: the first device's fields, then all of them."""
    devices = [_answer(found, grows) for found, grows in answers]
    first = devices[0] if devices else {}
    return {**head("why", machine, semantics), **first, "devices": devices}


def _answer(found: Sharing, grows: Growth | None) -> dict[str, Any]:
    group = found.group
    return {
        "address": found.device.address,
        "group": group.id if group else None,
        "members": [d.address for d in group.devices] if group else [],
        "path": [_hop(hop) for hop in found.path],
        "reasons": [
            {
                "with": reason.neighbour.address,
                "mechanism": reason.mechanism,
                "at": reason.at.address if reason.at else None,
                "evidence": reason.evidence,
            }
            for reason in found.reasons
        ],
        "recomputed": {
            "agrees": found.recomputed.agrees,
            "because": found.recomputed.because,
        },
        "growth": {
            "can_grow": grows.can_grow.value if grows else CanGrow.UNKNOWN.value,
            "through": _ways(grows, told=True),
            "untold": _ways(grows, told=False),
        },
    }


def _ways(grows: Growth | None, *, told: bool) -> list[dict[str, str]]:
    if grows is None:
        return []
    ways = grows.through if told else grows.untold
    return [{"address": way.address, "how": way.how} for way in ways]


def _hop(hop: Hop) -> dict[str, Any]:
    acs = hop.device.pci.acs
    known = None if isinstance(acs, Missing) else acs
    return {
        "address": hop.device.address,
        "pcie_type": _known(hop.device.pci.pcie_type),
        "isolates": hop.isolates,
        "acs_required": f"{REQUIRED_ACS:04x}",
        "acs_present": f"{known.capability:04x}" if known else None,
        "acs_enabled": f"{known.control:04x}" if known else None,
        "missing": {"acs": acs.value} if isinstance(acs, Missing) else {},
    }


def _known(kind: int | Missing | None) -> int | None:
    return None if isinstance(kind, Missing) else kind
