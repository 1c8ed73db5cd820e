"""One host of many: what is kept of it, whatever it was read from."""

from __future__ import annotations

import enum

from iommu_inspect.audit.differences.regrouping import Kind
from iommu_inspect.audit.known import Known
from iommu_inspect.audit.summary import Possible
from iommu_inspect.kernel.ownership.roles import Ownership
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.verdict.outcome import Verdict

__all__ = ["Change", "Changes", "Held", "Holding", "Moved", "Row"]


class Change(enum.Enum):
    """What a host is to last time.

    ``GONE``: last time had it, and now it is not there. ``UNTOLD``: one of the two does
    not show what would have to be compared, or could not be read.
    """

    SAME = "same"
    CHANGED = "changed"
    NEW = "new"
    GONE = "gone"
    UNTOLD = "untold"


@dataclass(frozen=True, slots=True)
class Held:
    """A device: what it is, its driver and group, and who owns that group.

    ``driver`` is ``None`` for none and for one that is not shown: ``ownership`` tells
    them apart. It is unknown for a device without a group, or of which the group's
    owner cannot be told.
    """

    id: DeviceId
    ids: str | None
    code: str | None
    driver: str | None
    group: str | None
    ownership: Ownership


@dataclass(frozen=True, slots=True)
class Holding:
    """A group: who owns it, and whether it could be handed over (``None``: unasked)."""

    id: str
    ownership: Ownership
    possible: Possible | None
    devices: tuple[DeviceId, ...]


@dataclass(frozen=True, slots=True)
class Moved:
    """Groups that are others than last time; their numbers alone are no change."""

    kind: Kind
    before: tuple[str, ...]
    after: tuple[str, ...]
    devices: tuple[DeviceId, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """What is otherwise than last time, ``before`` being where that was read.

    ``ungrouped`` have no group any more, ``grouped`` have one now; ``added`` and
    ``removed`` are devices. ``rules`` are those of which something was found now that
    was not then, ``cured`` the reverse.
    """

    change: Change
    before: str | None = None
    verdict: Verdict | None = None
    groups: tuple[Moved, ...] = ()
    ungrouped: tuple[DeviceId, ...] = ()
    grouped: tuple[DeviceId, ...] = ()
    added: tuple[DeviceId, ...] = ()
    removed: tuple[DeviceId, ...] = ()
    rules: tuple[str, ...] = ()
    cured: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Row:
    """One host: ``read`` is whether there is more of it than its name.

    ``because`` says why it was not read, or why what was read has no verdict of its
    own. ``kind`` is that of the source, or the command whose document was read.
    ``unseen`` are facts that the source does not show and a verdict needs.
    """

    host: str
    path: str
    verdict: Verdict
    read: bool
    because: str = ""
    kind: str | None = None
    kernel: str | None = None
    semantics: str | None = None
    purpose: Purpose = Purpose.VFIO
    findings: tuple[Known, ...] = ()
    ignored: int = 0
    unseen: tuple[str, ...] = ()
    groups: tuple[Holding, ...] = ()
    devices: tuple[Held, ...] = ()
    changes: Changes | None = None

    @classmethod
    def unread(cls, host: str, path: str, because: str) -> Row:
        """Return the row of a host that was not read, which is never a good one."""
        return cls(host, path, Verdict.UNKNOWN, read=False, because=because)
