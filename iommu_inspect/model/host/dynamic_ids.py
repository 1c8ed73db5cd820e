"""Which devices ``vfio-pci.ids=`` and ``pci-stub.ids=`` name."""

from __future__ import annotations

import re
from collections.abc import Iterable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, known

__all__ = ["ANY", "DynamicId", "matches", "parse_id", "split_ids"]

ANY = 0xFFFFFFFF
"""What is not compared: `PCI_ANY_ID`, as the kernel compares unsigned numbers."""
# "0x" alone is 0 (_parse_integer_fixup_radix() in lib/kstrtox.c).
_NUMBER = re.compile(r"\s*(?:0[xX]([0-9a-fA-F]*)|([0-9a-fA-F]+))", re.ASCII)


@dataclass(frozen=True, slots=True)
class DynamicId:
    """One entry: ``vendor:device[:subvendor[:subdevice[:class[:class_mask]]]]``.

    ``rest`` is what the kernel did not read of it, and does not complain about.
    """

    text: str
    vendor: int
    device: int
    subvendor: int = ANY
    subdevice: int = ANY
    class_code: int = 0
    class_mask: int = 0
    rest: str = ""

    @property
    def numbers(self) -> tuple[int, ...]:
        """What is compared with a device, however it was written."""
        return (
            *(self.vendor, self.device, self.subvendor, self.subdevice),
            *(self.class_code, self.class_mask),
        )


def split_ids(value: str) -> tuple[str, ...]:
    """Split the parameter's value as the kernel does; empty entries are passed over."""
    return tuple(entry for entry in value.split(",") if entry)


def parse_id(entry: str) -> DynamicId | None:
    """Read one entry, ``None`` where the kernel logs ``invalid id string``.

    It is ``sscanf(id, "%x:%x:%x:%x:%x:%x", ...)`` with at least two numbers, in
    ``vfio_pci_fill_ids()`` (drivers/vfio/pci/vfio_pci.c) and ``pci_stub_init()``
    (drivers/pci/pci-stub.c), the same from v5.10 to v7.3.
    """
    numbers: list[int] = []
    at = 0
    while len(numbers) < 6:
        start = at
        if numbers:
            if entry[at : at + 1] != ":":
                break
            start = at + 1
        number = _NUMBER.match(entry, start)
        if number is None:
            break
        numbers.append(int(number[1] or number[2] or "0", 16) & ANY)
        at = number.end()
    if len(numbers) < 2:
        return None
    # What is not given matches every device.
    whole = numbers + [ANY, ANY, 0, 0][len(numbers) - 2 :]
    vendor, device, subvendor, subdevice, class_code, mask = whole
    return DynamicId(
        entry, vendor, device, subvendor, subdevice, class_code, mask, entry[at:]
    )


def matches(entry: DynamicId, device: Device) -> bool | None:
    """Say whether an entry names a device, ``None`` where a fact is missing for it.

    ``pci_match_one_device()`` in drivers/pci/pci.h compares these; vfio-pci refuses
    bridges afterwards (``vfio_pci_core_register_device()``), so they never count.
    """
    if not device.is_pci or device.is_bridge is True:
        return False
    ids = device.ids
    compared = _all_true(
        _equal(wanted, has)
        for wanted, has in (
            (entry.vendor, ids.vendor),
            (entry.device, ids.device),
            (entry.subvendor, ids.subsystem_vendor),
            (entry.subdevice, ids.subsystem_device),
        )
    )
    if not entry.class_mask:
        return compared
    code = ids.class_code
    if not known(code):
        return None if compared is not False else False
    return compared if not (entry.class_code ^ code) & entry.class_mask else False


def _equal(wanted: int, has: Fact[int]) -> bool | None:
    if wanted == ANY:
        return True
    return wanted == has if known(has) else None


def _all_true(results: Iterable[bool | None]) -> bool | None:
    seen = set(results)
    if False in seen:
        return False
    return None if None in seen else True
