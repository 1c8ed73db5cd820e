"""Which devices that the host lives on are named by ids that were meant for others."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator

from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.host.dynamic_ids import DynamicId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.uses.host import FATAL
from iommu_inspect.model.uses.losses import (
    host_losses,
    perhaps_lost,
    perhaps_untold,
)
from iommu_inspect.rules._words import addresses
from iommu_inspect.settings.id_index import IdIndex

__all__ = ["not_to_be_taken", "warned"]


def not_to_be_taken(
    machine: Machine, entries: Collection[DynamicId]
) -> tuple[tuple[Device, ...], bool]:
    """Return what the host loses if the ids have their effect, and whether for sure.

    Of several that are alike, each may be the one that the host lives on where the
    source does not tell; one alone is what somebody meant.
    """
    index = IdIndex(entries)
    named = [
        device
        for device in machine.devices
        if has_vfio_driver(device) is not True
        and device.is_bridge is not True
        and any(True for _ in index.naming(device))
    ]
    lost = {
        path
        for loss in host_losses(machine, named)
        if loss.whole and loss.use.kind in FATAL
        for path in loss.paths
    }
    sure = tuple(
        device
        for device in named
        if any(
            path in lost
            for loss in host_losses(machine, [device])
            for path in loss.paths
        )
    )
    if sure:
        return sure, True
    pairs = Counter(device.ids.pair for device in named)
    alike = [
        d
        for d in named
        if pairs[d.ids.pair] > 1
        and (perhaps_lost(machine, d) or perhaps_untold(machine, d))
    ]
    return tuple(alike), False


def warned(devices: Collection[Device], *, sure: bool) -> Iterator[str]:
    """Say why the ids must not have their effect, and what to do in their place."""
    names, lives = addresses(devices), "lives" if sure else "may live"
    one = len(devices) == 1
    yield (
        f"Leave it without effect: these ids name {names}, and the host {lives} on "
        f"{'it' if one else 'them' if sure else 'one of them'}."
    )
    yield (
        "Take them out, and choose the device that is meant by its address: "
        "iommu-inspect plan has the settings for it."
    )
