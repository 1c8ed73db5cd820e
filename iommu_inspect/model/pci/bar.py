"""The memory that a PCI function has: its base address registers."""

from __future__ import annotations

from iommu_inspect.model.dataclass import dataclass

__all__ = ["Bar"]


@dataclass(frozen=True, slots=True)
class Bar:
    """One base address register that is in use; ``wide`` ones take 64 bits.

    Of memory a bridge passes on in its window above 4 GiB only what is prefetchable.
    """

    number: int
    size: int
    memory: bool
    prefetchable: bool
    wide: bool
