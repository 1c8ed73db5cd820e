"""What the host itself lives on: file systems, swap, networks, console, display."""

from __future__ import annotations

import enum
from dataclasses import dataclass

from iommu_inspect.model.fact import Fact, Missing, known

__all__ = ["Carrier", "Host", "HostUse", "UseKind"]


class UseKind(enum.Enum):
    """What a use is; the order is that of how much it hurts."""

    FILE_SYSTEM = "file system"
    SWAP = "swap"
    DEFAULT_ROUTE = "default route"
    NETWORK = "network"
    CONSOLE = "console"
    FRAMEBUFFER = "framebuffer"


class Carrier(enum.Enum):
    """Which kind of device can carry a use whose device was not found."""

    DISK = "disk"
    INTERFACE = "network interface"
    ANY = "device"


@dataclass(frozen=True, slots=True)
class HostUse:
    """One thing that the host does with its devices.

    ``what`` names it: mount points, a swap area, a network interface, a terminal.
    ``via`` is the kernel's name of what it is on (``dm-0``), empty if that says no
    more. ``needs`` are sets of device paths (``Device.path``): of each set one must
    stay, or the use is lost. One disk is one set of one; two disks of which both are
    needed are two sets; a mirror is one set of two. It is missing where the use is
    known and its devices are not; ``carrier`` says then what could be one.
    """

    kind: UseKind
    what: tuple[str, ...]
    needs: Fact[tuple[tuple[str, ...], ...]]
    via: str = ""
    carrier: Carrier = Carrier.ANY

    @property
    def paths(self) -> tuple[str, ...]:
        """Every device path that the use stands on, sorted."""
        if not known(self.needs):
            return ()
        return tuple(sorted({path for some in self.needs for path in some}))


@dataclass(frozen=True, slots=True)
class Host:
    """What a source tells of the host's own uses of its devices.

    ``uses`` are those that were found. ``untold`` names the kinds that the source
    does not show, or not to this user. ``disks`` and ``interfaces`` are the paths of
    the devices that have a block device, or a network interface, below them.
    ``nodes`` are the names of network interfaces and block devices, each with the
    paths of all devices that it stands on.
    """

    uses: tuple[HostUse, ...] = ()
    untold: tuple[tuple[UseKind, Missing], ...] = (
        (UseKind.FILE_SYSTEM, Missing.ABSENT),
        (UseKind.SWAP, Missing.ABSENT),
        (UseKind.DEFAULT_ROUTE, Missing.ABSENT),
    )
    disks: Fact[tuple[str, ...]] = Missing.ABSENT
    interfaces: Fact[tuple[str, ...]] = Missing.ABSENT
    nodes: Fact[tuple[tuple[str, Fact[tuple[str, ...]]], ...]] = Missing.ABSENT
