"""The IOMMU units of a host, and whether interrupts go through them."""

from __future__ import annotations

import enum

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, known

__all__ = ["InterruptRemapping", "IommuUnit"]


class InterruptRemapping(enum.Enum):
    """Whether the names of interrupt chips show isolated (remapped) MSIs."""

    ON = "on"
    OFF = "off"


# What a page table of two levels reaches (SAGAW bit 0); no VT-d unit has less.
_LEAST_WIDTH = 30


@dataclass(frozen=True, slots=True)
class IommuUnit:
    """One entry of ``/sys/class/iommu``, such as ``dmar0``.

    ``capability`` is the capability register of a VT-d unit (VT-d 5.0, 11.4.2); units
    of other makers show none.
    """

    name: str
    driver: Fact[str] = Missing.ABSENT
    capability: Fact[int] = Missing.ABSENT

    @property
    def address_width(self) -> Fact[int]:
        """The bits of the addresses that a VT-d unit translates.

        The lesser of what it can (MGAW) and what its deepest page table reaches
        (SAGAW: bit 1 three levels, bit 2 four, bit 3 five). A register that says less
        than a page table of two levels reaches was not read whole.
        """
        if not known(self.capability):
            return self.capability
        widest = (self.capability >> 16 & 0x3F) + 1
        tables = [30 + 9 * bit for bit in (1, 2, 3) if self.capability >> 8 + bit & 1]
        if not tables or widest < _LEAST_WIDTH:
            return Missing.UNREADABLE
        return min(widest, max(tables))
