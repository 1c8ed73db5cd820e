"""Which device is meant: one identity through the whole house."""

from __future__ import annotations

from dataclasses import field
from functools import total_ordering

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.text import natural_key

__all__ = ["DeviceId"]

_Key = tuple[int, tuple[int, ...], tuple[tuple[int, str], ...]]


@total_ordering
@dataclass(frozen=True, slots=True)
class DeviceId:
    """A device by the name that its bus has for it; made where a source is read.

    Two devices of different buses can have the same name, so the bus is a part of it.
    ``pci`` is the address of a PCI function, ``None`` for other devices. In the order,
    names that are PCI addresses come first, by number, then the others naturally.
    """

    name: str
    bus: Fact[str]
    pci: PciAddress | None = field(init=False, compare=False, repr=False)
    _key: _Key = field(init=False, compare=False, repr=False)

    def __post_init__(self) -> None:
        address = PciAddress.parse(self.name)
        object.__setattr__(self, "pci", address if self.bus == "pci" else None)
        if address is not None:
            numbers = (address.domain, address.bus, address.slot, address.function)
            object.__setattr__(self, "_key", (0, numbers, ()))
        else:
            object.__setattr__(self, "_key", (1, (), natural_key(self.name)))

    @classmethod
    def of_pci(cls, address: PciAddress) -> DeviceId:
        """Return the identity of the PCI function at an address."""
        return cls(str(address), "pci")

    def __str__(self) -> str:
        return self.name

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, DeviceId):
            return NotImplemented
        mine, theirs = ((d._key, d.name, str(d.bus)) for d in (self, other))
        return mine < theirs
