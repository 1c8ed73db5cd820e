"""What a rule says of itself, and what it says of a machine."""

from __future__ import annotations

import enum

from iommu_inspect.kernel.citations import Citation
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.rules._cures import Cure

__all__ = [
    "EVERY_PURPOSE",
    "USER_SPACE",
    "About",
    "Certainty",
    "Finding",
    "Purpose",
    "Severity",
]


class Severity(enum.Enum):
    """How bad it is. Only errors make a target blocked."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Certainty(enum.Enum):
    """What a finding rests on.

    ``KERNEL``: facts that the kernel shows, judged by rules of its own.
    ``DERIVED``: our conclusion from such facts. ``UNKNOWN``: the fact that would
    decide is missing; an error of this kind makes a verdict unknown.
    """

    KERNEL = "kernel"
    DERIVED = "derived"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that a rule has to say.

    ``devices`` begins with the one it is about; ``message`` is one sentence or two,
    ``remedy`` prose that says what would help; ``cures`` are that as data, for
    ``plan/`` to make commands of. ``step`` says in a few words, as an order, what an
    error asks for first. All text is plain.
    ``final`` marks an error that no step on this machine as it is takes away: the
    device stays with the host.
    """

    rule: str
    severity: Severity
    certainty: Certainty
    group: str | None
    devices: tuple[DeviceId, ...]
    message: str
    remedy: str
    references: tuple[str, ...] = ()
    step: str = ""
    final: bool = False
    cures: tuple[Cure, ...] = ()


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
