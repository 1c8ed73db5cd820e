"""The ids that a plan writes for vfio-pci, and those that are there already."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.host.dynamic_ids import DynamicId, parse_id, split_ids
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import shown
from iommu_inspect.plan.decision.moves import Move
from iommu_inspect.plan.host.boot_notes import words_of
from iommu_inspect.settings.id_index import IdIndex

__all__ = ["ids_of", "ids_word", "left_out"]

_ID = re.compile(r"[0-9a-fA-FxX:]{1,64}")


def ids_of(moves: Iterable[Move]) -> str:
    """Return the ids of devices as one value."""
    pairs = (move.device.ids.pair for move in moves)
    return ",".join(dict.fromkeys(pair for pair in pairs if pair))


def ids_word(machine: Machine, moves: Sequence[Move]) -> str:
    """Return the word with the ids, and with those that it has on the command line.

    Of two words with ids the kernel takes the last one only.
    """
    there, _ = _there(machine, moves)
    ids = (*there, *ids_of(moves).split(","))
    return f"vfio-pci.ids={','.join(dict.fromkeys(filter(None, ids)))}"


def left_out(machine: Machine, moves: Sequence[Move]) -> Iterable[str]:
    """Name the ids of the command line that are not written again."""
    for entry, device in _there(machine, moves)[1]:
        why = "it is no id"
        if device is not None:
            why = f"it names {shown(device.address)}, which nobody asked for"
        yield f"{shown(entry)}, which is on the command line now, is left out: {why}."


def _there(
    machine: Machine, moves: Sequence[Move]
) -> tuple[list[str], list[tuple[str, Device | None]]]:
    """Return the ids of the command line that may stay, and those that may not.

    One may not that names what has a driver of the host and is not to be taken. What
    is no id is of no use, and may be anything: it is not written again.
    """
    words = words_of(machine, "vfio_pci.ids")
    mine = {move.device.id for move in moves}
    kept: list[str] = []
    others: list[tuple[str, Device | None]] = []
    entries = split_ids(words[-1].value or "") if words else ()
    parsed = {
        entry: found
        for entry in entries
        if _ID.fullmatch(entry) and (found := parse_id(entry)) is not None
    }
    index = IdIndex(dict.fromkeys(parsed.values()))
    named: dict[DynamicId, list[Device]] = {}
    for device in machine.devices:
        if device.id not in mine and has_vfio_driver(device) is not True:
            for found, _ in index.naming(device):
                named.setdefault(found, []).append(device)
    for entry in entries:
        if entry not in parsed:
            others.append((entry, None))
            continue
        devices = named.get(parsed[entry], [])
        others += [(entry, device) for device in devices]
        kept += [] if devices else [entry]
    return kept, others
