"""PCI addresses as the kernel writes them: ``DDDD:BB:DD.F``."""

from __future__ import annotations

import re

from iommu_inspect.model.dataclass import dataclass

__all__ = ["PciAddress"]

# The kernel prints the domain with "%04x": at least four digits, more where the
# number needs them (VMD domains begin at 10000, Hyper-V ones use 32 bits).
_PCI_ADDRESS = re.compile(
    r"(?:(?P<domain>[0-9a-fA-F]{1,8}):)?"
    r"(?P<bus>[0-9a-fA-F]{1,2}):(?P<slot>[01]?[0-9a-fA-F])\.(?P<function>[0-7])"
)


@dataclass(frozen=True, slots=True, order=True)
class PciAddress:
    """One PCI function's address; ordered as the kernel enumerates."""

    domain: int
    bus: int
    slot: int
    function: int

    @classmethod
    def parse(cls, text: str) -> PciAddress | None:
        """Read ``01:00.0`` or ``0000:01:00.0``; ``None`` if it is neither."""
        match = _PCI_ADDRESS.fullmatch(text)
        if match is None:
            return None
        domain = match["domain"]
        return cls(
            domain=int(domain, 16) if domain else 0,
            bus=int(match["bus"], 16),
            slot=int(match["slot"], 16),
            function=int(match["function"]),
        )

    def __str__(self) -> str:
        return f"{self.domain:04x}:{self.bus:02x}:{self.slot:02x}.{self.function}"

    @property
    def slot_name(self) -> str:
        """The address without its function: what functions of one card share."""
        return str(self).rpartition(".")[0]
