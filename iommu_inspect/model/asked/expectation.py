"""Which device a person expects where."""

from __future__ import annotations

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.pci.address import PciAddress

__all__ = ["Expectation"]


@dataclass(frozen=True, slots=True)
class Expectation:
    """A PCI function's address and the ids that are to be there; ids are 16 bits."""

    address: PciAddress
    vendor: int
    device: int

    @property
    def ids(self) -> str:
        """The ids as the file has them: ``10de:1e04``."""
        return f"{self.vendor:04x}:{self.device:04x}"
