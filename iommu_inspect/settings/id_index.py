"""Which of many ids name a device, without asking each of them about each device."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import product

from iommu_inspect.model.device import Device, PciIds
from iommu_inspect.model.fact import known
from iommu_inspect.model.host.dynamic_ids import ANY, DynamicId, matches

__all__ = ["IdIndex"]


class IdIndex:
    """Entries by the four numbers that they ask for, in their order.

    Devices that are alike get the same answer, which is worked out once.
    """

    def __init__(self, entries: Iterable[DynamicId]) -> None:
        self._entries = tuple(entries)
        # By all four numbers, and by the first two where that is all that is known.
        self._by_key: dict[tuple[int, ...], list[int]] = {}
        for rank, entry in enumerate(self._entries):
            key = entry.numbers[:4]
            self._by_key.setdefault(key, []).append(rank)
            self._by_key.setdefault(key[:2], []).append(rank)
        self._answers: dict[PciIds, tuple[tuple[DynamicId, bool | None], ...]] = {}

    def naming(self, device: Device) -> Iterator[tuple[DynamicId, bool | None]]:
        """Yield the entries that name a device, or may name it (``None``)."""
        if not self._entries or not device.is_pci or device.is_bridge is True:
            return
        found = self._answers.get(device.ids)
        if found is None:
            found = self._answers[device.ids] = tuple(self._matching(device))
        yield from found

    def _matching(self, device: Device) -> Iterator[tuple[DynamicId, bool | None]]:
        for rank in self._candidates(device):
            entry = self._entries[rank]
            if (named := matches(entry, device)) is not False:
                yield entry, named

    def _candidates(self, device: Device) -> Iterable[int]:
        ids = device.ids
        if not known(ids.vendor) or not known(ids.device):
            return range(len(self._entries))
        has = [ids.vendor, ids.device]
        if known(ids.subsystem_vendor) and known(ids.subsystem_device):
            has += [ids.subsystem_vendor, ids.subsystem_device]
        keys = set(product(*((number, ANY) for number in has)))
        return sorted({rank for key in keys for rank in self._by_key.get(key, ())})
