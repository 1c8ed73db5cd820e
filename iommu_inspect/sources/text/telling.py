"""Says in a line what was read of a text, what was not, and what a text is like."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.sources.text.cutting import Paste
from iommu_inspect.sources.text.joining import Joined

__all__ = ["told_of", "what_it_looks_like"]

_EXPECTED = (
    "send the output of 'lspci -vvvnnk', a list of IOMMU groups, the kernel's log "
    "(dmesg), or a snapshot"
)
_LONGEST = 60
_KINDS = {
    "lspci": "lspci",
    "listing": "a list of groups",
    "links": "links of sysfs",
    "dmesg": "the kernel's log",
    "cmdline": "a kernel command line",
    "modprobe.d": "lines of modprobe.d",
    "nodedev": "libvirt's node devices",
    "driverctl": "driverctl",
    "devbind": "DPDK's list of devices",
    "lshw": "lshw",
    "uname": "the kernel's name",
}


def told_of(
    joined: Joined, pastes: list[Paste], devices: Iterable[Device]
) -> Iterator[str]:
    """Yield what a person has to know about what was read.

    Args:
        joined: What the texts say.
        pastes: The texts, cut.
        devices: The devices made of it.
    """
    listed = list(devices)
    kinds = sorted({kind for paste in pastes for kind in paste.kinds})
    words = [_KINDS.get(kind, kind) for kind in kinds]
    grouped = sum(1 for d in listed if d.group is not None and known(d.group))
    driven = sum(1 for d in listed if known(d.driver))
    yield (
        f"read as {_listed(words)}: {_count(len(listed), 'device')}, "
        f"{grouped or 'none'} with a group, {driven or 'none'} with its driver"
    )
    for device, fields in joined.contested.items():
        shown = [name for name in fields if name in ("group", "driver")]
        groups = joined.groups[device]
        if len(groups) > 1:
            yield (
                f"{device} is in the groups {_listed(groups)}: the text is of two "
                "moments, and its group cannot be told"
            )
        elif "driver" in shown:
            yield f"the text names several drivers for {device}: none is believed"
    strange = [each for paste in pastes for each in paste.strange]
    if strange:
        first = strange[0].text
        if len(first) > _LONGEST:
            first = f"{first[:_LONGEST].rstrip()}..."
        were = (
            "line about devices was"
            if len(strange) == 1
            else ("lines about devices were")
        )
        yield (
            f"{len(strange)} {were} not understood, first: {first} "
            f"(line {strange[0].number})"
        )


def _listed(words: Iterable[str]) -> str:
    *first, last = words
    return f"{', '.join(first)} and {last}" if first else last


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def what_it_looks_like(text: str) -> str:
    """Say what a text that is of no known kind seems to be, and what to send."""
    start = text.lstrip("\ufeff \t\r\n")[:200]
    kind = "a text of no known kind"
    for pattern, name in _LOOKS:
        if re.match(pattern, start, re.I):
            kind = name
            break
    if not start:
        kind = "an empty text"
    return f"{kind}; {_EXPECTED}"


_LOOKS = (
    (r"%PDF-", "a PDF document, not its text"),
    (r"<!doctype html|<html", "a web page without lspci's lines in it"),
    (r"\{\\rtf", "a document of a word processor"),
    (r"[\[{]\s*[\"{\[]", "JSON, which none of the commands reads"),
    (r"<\?xml|<domain", "XML that describes no devices"),
    (r"-----BEGIN ", "a key or a certificate"),
    (r"(?:\[\s*\d+\.\d+\] )", "a kernel log without a line about PCI or the IOMMU"),
    (r"H:|T:|B:|D:", "a text of no known kind"),
)
