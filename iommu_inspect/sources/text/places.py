"""Where functions are, as ``lspci`` says it: names of slots, and labels."""

from __future__ import annotations

from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.place import Place
from iommu_inspect.sources.text.joining import Joined
from iommu_inspect.sources.text.said import DeviceFacts

__all__ = ["places_of"]


def places_of(joined: Joined) -> tuple[tuple[DeviceId, Place], ...]:
    """Return the places that texts tell, in the order of the devices."""
    found = (
        (device, Place(_slots(facts), value_or(facts.label, None)))
        for device, facts in joined.devices.items()
    )
    return tuple((device, place) for device, place in found if place != Place())


def _slots(facts: DeviceFacts) -> tuple[str, ...]:
    return (facts.slot,) if known(facts.slot) else ()
