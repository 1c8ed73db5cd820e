"""Processors on which the kernel does not ask ``pci_device_group()`` for groups.

drivers/iommu/s390-iommu.c gives each device a group of its own (read in v6.1, v6.12
and v7.3). On POWER arch/powerpc makes a group of each partitionable endpoint, which
firmware decides.
"""

from __future__ import annotations

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.host.platform import Architecture
from iommu_inspect.model.machine import Machine

__all__ = ["Otherwise", "grouped_otherwise"]


@dataclass(frozen=True, slots=True)
class Otherwise:
    """Where any function comes to be: ``alone``, or that cannot be told; and why."""

    alone: bool
    because: str


_OTHERWISE: dict[Architecture | None, Otherwise] = {
    Architecture.S390: Otherwise(
        True, "on s390 the kernel gives each function a group of its own"
    ),
    Architecture.POWER: Otherwise(
        False,
        "on POWER firmware decides what is one group (a partitionable endpoint), and "
        "sysfs does not show why",
    ),
    Architecture.OTHER: Otherwise(
        False, "on a processor like this one the kernel groups in other ways"
    ),
}


def grouped_otherwise(machine: Machine) -> Otherwise | None:
    """Return how functions are grouped, ``None`` where that is as on x86 and arm64."""
    return _OTHERWISE.get(machine.architecture)
