"""What a host is built of, and on what it runs: processor, Xen, firmware's IORT."""

from __future__ import annotations

import enum

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing

__all__ = ["Architecture", "IortNode", "Processor", "XenRole"]


class Architecture(enum.Enum):
    """What decides which options and which firmware tables there are."""

    X86 = "x86"
    ARM = "arm"
    S390 = "s390"
    POWER = "power"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Processor:
    """What ``/proc/cpuinfo`` says: ``maker`` is ``intel``, ``amd`` or ``other``."""

    architecture: Architecture
    maker: Fact[str] = Missing.ABSENT


class XenRole(enum.Enum):
    """What Linux is to Xen; ``UNTOLD`` where it runs on Xen and no more is told."""

    DOM0 = "dom0"
    GUEST = "guest"
    UNTOLD = "untold"


class IortNode(enum.IntEnum):
    """What a node of Arm's IORT describes (``enum acpi_iort_node_type``)."""

    ITS_GROUP = 0
    NAMED_COMPONENT = 1
    ROOT_COMPLEX = 2
    SMMU = 3
    SMMU_V3 = 4
