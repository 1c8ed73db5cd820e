"""How the host's uses of its devices are shown: lines for ``list``, fields for JSON."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Missing
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.relations import Relations
from iommu_inspect.model.text import listed
from iommu_inspect.model.uses.host import FATAL, HostUse, UseKind
from iommu_inspect.model.uses.losses import host_losses
from iommu_inspect.model.uses.words import NOT_SHOWN, described

__all__ = [
    "untold_document",
    "untold_text",
    "use_fields",
    "use_line",
    "uses_document",
]


def use_line(relations: Relations, device: Device) -> str:
    """Return a device's uses in one line, empty where none is known."""
    found = "; ".join(use.text for use in relations.uses(device))
    return f"in use: {found}" if found else ""


def untold_text(machine: Machine) -> str:
    """Say once what the source does not tell of uses; empty where it tells them.

    That it does not show what hangs on devices goes without saying: most captures do
    not, and the host lives on none of it.
    """
    host = machine.host
    parts = []
    away = [use for use in host.unplaced if use.kind in FATAL]
    if away:
        parts.append(f"which device {described(away)} {_be(away)} on cannot be told")
    refused = [k for k, why in host.untold if k in FATAL and why is not Missing.ABSENT]
    absent = [k for k, why in host.untold if k in FATAL and why is Missing.ABSENT]
    if absent:
        parts.append(f"{_kinds(absent)} {_are(absent)} not in this source")
    if refused:
        parts.append(f"{_kinds(refused)} could not be read")
    return "; ".join(parts)


def _be(uses: list[HostUse]) -> str:
    return "is" if len(uses) == 1 and len(uses[0].what) == 1 else "are"


def _are(kinds: list[UseKind]) -> str:
    return "is" if len(kinds) == 1 and kinds[0] is not UseKind.DEFAULT_ROUTE else "are"


def _kinds(kinds: Iterable[UseKind]) -> str:
    return listed(NOT_SHOWN[kind] for kind in kinds)


def uses_document(
    machine: Machine, relations: Relations, device: Device
) -> list[dict[str, Any]]:
    """Return the ``uses`` of a device; ``ends`` says whether one ends without it."""
    ends = {id(x.use): x.whole for x in host_losses(machine, [device])}
    return [
        use_fields(use, ends=ends.get(id(use), True)) for use in relations.uses(device)
    ]


def untold_document(machine: Machine) -> dict[str, Any]:
    """Return what the source does not tell of uses: whole kinds, and where some are."""
    return {
        "uses_unplaced": [use_fields(use, ends=None) for use in machine.host.unplaced],
        "uses_missing": {kind.value: why.value for kind, why in machine.host.untold},
    }


def use_fields(use: HostUse, *, ends: bool | None) -> dict[str, Any]:
    """Return one use as a document has it."""
    return {
        "kind": use.kind.value,
        "what": list(use.what),
        "via": use.via or None,
        "ends": ends,
        "text": use.text,
    }
