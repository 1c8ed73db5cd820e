"""What a rule says of itself, at the top of its file."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from iommu_inspect.kernel.citations import Citation
from iommu_inspect.rules.finding import Severity

__all__ = ["EVERY_PURPOSE", "USER_SPACE", "About", "Purpose"]


class Purpose(enum.Enum):
    """What the devices are wanted for; it decides what counts as wrong.

    ``DPDK``: programs that take a network card or an NVMe drive by VFIO, by VFIO's
    no-IOMMU mode, or by UIO. ``ATTACH``: a driver in the kernel that calls
    ``iommu_attach_device()``. ``ONE_PER_GROUP``: VFIO, through a manager that takes
    for granted that a device is alone in its group.
    """

    VFIO = "vfio"
    DPDK = "dpdk"
    ATTACH = "attach"
    ONE_PER_GROUP = "one-per-group"


EVERY_PURPOSE = frozenset(Purpose)
USER_SPACE = frozenset({Purpose.VFIO, Purpose.DPDK, Purpose.ONE_PER_GROUP})


@dataclass(frozen=True, slots=True)
class About:
    """A rule's id (the stem of its page), summary, and what its findings share.

    ``severity`` and ``references`` are those of a finding that names no other. For
    other purposes than ``purposes`` the rule has nothing to say. What a ``joint`` rule
    says of one target can depend on what else is asked for.
    """

    id: str
    summary: str
    severity: Severity
    purposes: frozenset[Purpose] = USER_SPACE
    references: tuple[Citation | str, ...] = ()
    joint: bool = False
