"""Where a result of SARIF is, and how its words are written."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from iommu_inspect.model.fact import known
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import printable

__all__ = ["message", "place", "related", "uri_words"]

_HOST = "sys/kernel/iommu_groups"


def message(text: str) -> dict[str, str]:
    """Return a message: braces are doubled, and nothing in it is a link (3.11.5, 6)."""
    lines = "\n".join(map(printable, text.split("\n")))
    lines = lines.replace("{", "{{").replace("}", "}}")
    return {"text": lines.replace("](", "] (")}


def uri_words(text: str) -> str:
    """Return a part of a path as a URI has it; slashes in it are characters."""
    from urllib.parse import quote

    return quote(printable(text), safe=":")


def place(devices: Sequence[DeviceId], machine: Machine) -> dict[str, Any]:
    """Return where a finding is: the device it is about, or the host's list of groups.

    Readers want a line, and there is always a first.
    """
    if not devices:
        return _at(_HOST)
    return {**_at(_uri(devices[0])), "logicalLocations": [_name(devices[0], machine)]}


def related(devices: Sequence[DeviceId], machine: Machine) -> list[dict[str, Any]]:
    """Return the other devices that a finding names."""
    return [
        {"id": number, **place([device], machine)}
        for number, device in enumerate(devices[1:], 1)
    ]


def _at(uri: str) -> dict[str, Any]:
    region = {"startLine": 1}
    return {"physicalLocation": {"artifactLocation": {"uri": uri}, "region": region}}


def _uri(device: DeviceId) -> str:
    bus = device.bus if known(device.bus) else "unknown"
    return f"sys/bus/{uri_words(bus)}/devices/{uri_words(device.name)}"


def _name(device: DeviceId, machine: Machine) -> dict[str, str]:
    """Name a device, in full with those that share its group, which has no number."""
    there = machine.device(device)
    group = machine.group_of(there) if there is not None else None
    first = printable(group.devices[0].address) if group is not None else ""
    name = printable(device.name)
    whole = f"group of {first}/{name}" if group is not None else name
    return {"name": name, "fullyQualifiedName": whole, "kind": "resource"}
