"""Reads lists of devices below groups below IOMMUs, as sysfs has them."""

from __future__ import annotations

import re
from dataclasses import field
from typing import ClassVar

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import PciIds
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.sources.text.said import DeviceFacts, Line, Said

__all__ = ["IommuTreeReader"]

_IOMMU = re.compile(r"IOMMU: (?:dmar\d+|ivhd\d+|[\w.-]*smmu[\w.-]*|[0-9a-f]+\.iommu)")
_GROUP = re.compile(r"IOMMU Group: (?P<group>\d{1,9})")
_DEVICE = re.compile(
    r"Group Device: (?P<address>[0-9a-f]{4,8}:[0-9a-f]{2}:[01][0-9a-f]\.[0-7])"
    r"(?: - (?P<about>.*))?"
)
_ABOUT = re.compile(
    r".*\[(?P<class>[0-9a-f]{4})\]: .*"
    r"\[(?P<vendor>[0-9a-f]{4}):(?P<device>[0-9a-f]{4})\](?: \(.*\))*"
)


@dataclass(slots=True)
class IommuTreeReader:
    """Reads ``IOMMU: dmar0``, then its groups, then their devices."""

    KIND: ClassVar[str] = "listing"

    _said: list[Said] = field(default_factory=list)
    _inside: bool = False
    _group: str | None = None

    @classmethod
    def begins(cls, bare: str) -> bool:
        """Say whether a line is an IOMMU, or a device of such a list."""
        return any(p.fullmatch(bare) for p in (_IOMMU, _GROUP, _DEVICE))

    def take(self, line: Line) -> bool:
        """Read a line; ``False`` where it is none of such a list."""
        if line.prompt:
            return False
        bare = line.bare
        if _IOMMU.fullmatch(bare):
            self._inside, self._group = True, None
            return True
        group = _GROUP.fullmatch(bare) if self._inside else None
        if group:
            self._group = str(int(group["group"]))
            return True
        device = _DEVICE.fullmatch(bare)
        address = PciAddress.parse(device["address"]) if device else None
        if device is None or address is None or self._group is None:
            return False
        about = _ABOUT.fullmatch(device["about"] or "")
        facts = DeviceFacts(group=self._group)
        if about:
            ids = PciIds(
                vendor=int(about["vendor"], 16),
                device=int(about["device"], 16),
                class_code=int(about["class"], 16) << 8,
            )
            facts = DeviceFacts(group=self._group, ids=ids)
        self._said.append(Said(line.number, DeviceId.of_pci(address), facts))
        return True

    def close(self) -> None:
        """Take note that something else follows: its groups are below no IOMMU."""
        self._inside, self._group = False, None

    def said(self) -> tuple[Said, ...]:
        """Return what the lines say."""
        return tuple(self._said)
