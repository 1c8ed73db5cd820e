"""The text of ``why``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from iommu_inspect.kernel.grouping.growth import Growth, Way
from iommu_inspect.kernel.grouping.telling.sharing import Hop, Pair, Reason, Sharing
from iommu_inspect.model.device import Acs, Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.pci.classes import class_name
from iommu_inspect.model.text import listed
from iommu_inspect.plan.host.looking_closer import again_as_root
from iommu_inspect.render.documents.missing import doubts_of, look_of
from iommu_inspect.render.layout import PLAIN, Style, table
from iommu_inspect.render.ports import place_name
from iommu_inspect.render.text import fold

__all__ = ["why_text"]

_WHAT_A_GROUP_IS = (
    "A group is the smallest set of devices that the IOMMU can keep apart from all "
    "others; it is handed to user space as a whole or not at all."
)
_WHAT_ACS_IS = (
    "ACS (Access Control Services) makes a port, or a function among several, send "
    "requests up to the IOMMU and never straight to a neighbour."
)
_WHAT_CONTROLS_ARE = (
    " The kernel requires SV, RR, CR and UF (Source Validation, P2P Request Redirect, "
    'P2P Completion Redirect, Upstream Forwarding): "on", or "OFF" if the hardware has '
    'one that is not switched on; one that the hardware lacks ("-") counts as on.'
)
_BITS = {0x01: "SV", 0x04: "RR", 0x08: "CR", 0x10: "UF"}
_ISOLATES = {True: "yes", False: "NO", None: "?"}
_LOST = "NO <--"


def why_text(
    answers: Sequence[tuple[Sharing, Growth | None]],
    pairs: Sequence[Pair] = (),
    style: Style = PLAIN,
) -> str:
    """Return the text: each pair, then each device with its path and neighbours.

    What holds for a group as a whole is said once, after the last of its devices.
    """
    blocks = [_pair_text(pair, style) for pair in pairs]
    last = {found.group.id: found for found, _ in answers if found.group}
    for number, (found, grows) in enumerate(answers):
        blocks += _device_blocks(found, style, first=number == 0)
        if found.group is None or last[found.group.id] is not found:
            continue
        blocks.append(_agreement_text(found, style))
        if grows is not None:
            blocks.append(_growth_text(grows, found, style))
    blocks.append(_how_to_see(answers, pairs, style))
    return "\n\n".join(filter(None, blocks))


def _pair_text(pair: Pair, style: Style) -> str:
    names = f"{pair.one.address} and {pair.other.address}"
    verdict = {
        True: "share a group",
        False: "do not share a group",
        None: "may or may not share a group",
    }[pair.shared]
    return fold(f"{names} {verdict}: {pair.evidence}.", style.width)


def _device_blocks(found: Sharing, style: Style, *, first: bool) -> list[str]:
    name = found.device.address
    if found.group is None:
        said = f"{name} has no IOMMU group."
        if not known(found.device.group):
            said = f"The source does not tell which IOMMU group {name} is in, if any."
        return [fold(said, style.width)]
    others = len(found.group.devices) - 1
    beside = {0: "alone", 1: "with 1 other device"}.get(
        others, f"with {others} other devices"
    )
    heading = fold(f"{name} is in group {found.group.id}, {beside}.", style.width)
    if first:
        heading += "\n" + fold(_WHAT_A_GROUP_IS, style.width)
    blocks = [heading, _path_text(found, style, legend=first)]
    if found.reasons:
        lines = list(_reason_lines(found.reasons, style))
        blocks.append("\n".join(["Why the others are in it:", *lines]))
    return blocks


def _path_text(found: Sharing, style: Style, *, legend: bool) -> str:
    if not found.path:
        return ""
    headers = ["DEVICE, THEN UP", "WHAT IT IS", "ISOLATES", "ACS"]
    rows = [
        [
            hop.device.address,
            place_name(hop.device),
            _LOST if hop.loses and hop.isolates is False else _ISOLATES[hop.isolates],
            _acs(hop),
        ]
        for hop in found.path
    ]
    paints = {2: {"NO": "red", _LOST: "red", "?": "yellow"}}
    lines = [table(headers, rows, style, paints=paints)]
    if any(row[2] == _LOST for row in rows):
        lines.append("<-- isolation is lost here")
    lines += [
        fold(f"ACS of {hop.device.address} is off: {hop.off}.", style.width)
        for hop in found.path
        if hop.off is not None
    ]
    if legend:
        lines.append(_legend(found, style))
    return "\n".join(lines)


def _legend(found: Sharing, style: Style) -> str:
    """Explain ACS, and its controls if any are shown."""
    shown = any(known(hop.device.pci.acs) for hop in found.path)
    return fold(_WHAT_ACS_IS + (_WHAT_CONTROLS_ARE if shown else ""), style.width)


def _acs(hop: Hop) -> str:
    """Say what of the required controls is on, off or not there."""
    acs = hop.device.pci.acs
    if not known(acs):
        listed = hop.device.pci.acs_listed is True
        return "has ACS; on or off is not shown" if listed else "cannot be seen"
    if acs is None:
        if hop.isolates is not True:
            return "no ACS"
        return "no ACS, kernel's quirk" if hop.needs_acs else "no ACS, none needed"
    if hop.needs_acs is False and hop.isolates is True:
        return "none needed"
    return ", ".join(f"{name} {_bit(acs, bit)}" for bit, name in _BITS.items())


def _bit(acs: Acs, bit: int) -> str:
    if not acs.capability & bit:
        return "-"
    return "on" if acs.control & bit else "OFF"


def _reason_lines(reasons: Sequence[Reason], style: Style) -> Iterator[str]:
    """Yield a line for each reason; what cannot be told of several is one."""
    alike: dict[tuple[str, str], list[Device]] = {}
    for reason in reasons:
        address, evidence = reason.neighbour.address, reason.evidence
        if evidence.startswith(f"{address} is "):
            evidence = "it" + evidence.removeprefix(address)
        key = (evidence, "" if reason.mechanism == "unknown" else address)
        alike.setdefault(key, []).append(reason.neighbour)
    mechanisms = {reason.neighbour.id: reason.mechanism for reason in reasons}
    for (evidence, _), neighbours in alike.items():
        names = listed(f"{d.address}{_what(d)}" for d in neighbours)
        text = f"{names}: {evidence} [{mechanisms[neighbours[0].id]}]"
        yield fold(text, style.width, "  ", hanging="    ")


def _what(device: Device) -> str:
    name = class_name(device.ids.class_code) if device.is_pci else None
    return f" ({name})" if name else ""


def _agreement_text(found: Sharing, style: Style) -> str:
    if found.recomputed.agrees is True:
        return ""
    if found.recomputed.agrees is None:
        why = found.recomputed.because
        return fold(f"Not checked against isolation: {why}.", style.width)
    text = (
        "The kernel's group is not the one that isolation gives now "
        f"({found.recomputed.because}). The kernel's counts."
    )
    lines = [fold(text, style.width)]
    if found.suspects:
        lines.append("What may explain it:")
    lines += [
        fold(f"- {suspect}.", style.width, "  ", hanging="    ")
        for suspect in found.suspects
    ]
    return "\n".join(lines)


def _how_to_see(
    answers: Sequence[tuple[Sharing, Growth | None]],
    pairs: Sequence[Pair],
    style: Style,
) -> str:
    """Say what was not seen, and the one command that shows it."""
    seen = look_of(answers, pairs)
    if any(hop.by_root for found, _ in answers for hop in found.path):
        text = (
            "Which bridges and ACS controls these are cannot be known from here: "
            "without root the kernel shows 64 bytes of each configuration space. The "
            "groups themselves are the kernel's, and right. To see the rest, on that "
            "host:"
        )
        if seen is None or not answers[0][0].from_text:
            line = again_as_root("why", [found.device for found, _ in answers])
            return f"{fold(text, style.width)}\n    {line}"
        text = text.replace(" on that host:", " on that host, as root:")
        return f"{fold(text, style.width)}\n    {seen.line}"
    if seen is None:
        return ""
    one = len(doubts_of(answers, pairs)) == 1
    what = "One fact is missing that decides." if one else "What was not seen decides."
    who = ", as root" if seen.as_root else ""
    text = f"{what} To see it, on that host{who}:"
    return f"{fold(text, style.width)}\n    {seen.line}"


def _growth_text(grows: Growth, found: Sharing, style: Style) -> str:
    if grows.can_grow is False:
        text = "No way is seen in which the group could grow (a heuristic: the kernel "
        text += "has no concept of a group that stays as it is)."
        return fold(text, style.width)
    if grows.can_grow is None:
        lines = [fold("Whether the group can grow cannot be told:", style.width)]
        ways = grows.untold
    else:
        lines = [fold("The group can grow:", style.width)]
        ways = grows.through
    lines += [
        fold(f"{names}: {how}", style.width, "  ", hanging="    ")
        for names, how in _alike(ways, told=grows.can_grow is True)
    ]
    if grows.can_grow is True:
        lines.append(fold(_consequence(found), style.width))
    return "\n".join(lines)


def _alike(ways: Sequence[Way], *, told: bool) -> Iterator[tuple[str, str]]:
    """Yield devices and ways; what cannot be told of several is one."""
    if told:
        yield from ((way.address, way.how) for way in ways)
        return
    found: dict[str, list[str]] = {}
    for way in ways:
        how = way.how.replace(f"whether {way.address} ", "whether it ")
        how = how.replace(f"bridge {way.address} is", "bridge it is")
        found.setdefault(how, []).append(way.address)
    yield from ((listed(names), how) for how, names in found.items())


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
