"""What a rule says."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from iommu_inspect.model.identity import DeviceId

__all__ = ["Certainty", "Finding", "Severity"]


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
    ``remedy`` a line of prose, then commands on lines of their own; ``step`` says in a
    few words, as an order, what an error asks for first. All are plain text.
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
