"""What the host itself uses its devices for: file systems, networks, displays, ..."""

from __future__ import annotations

import enum
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import cached_property

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.text import shown

__all__ = ["FATAL", "Carrier", "Host", "HostUse", "UseKind", "some"]

_MOST = 3


class UseKind(enum.Enum):
    """What a use is; the order is that of how much it hurts."""

    FILE_SYSTEM = "file system"
    SWAP = "swap"
    DEFAULT_ROUTE = "default route"
    NETWORK = "network"
    DISPLAY = "display"
    CONSOLE = "console"
    FRAMEBUFFER = "framebuffer"
    MEDIATED = "mediated device"
    VIRTUAL_FUNCTION = "virtual function"
    PROCESS = "process"
    USB = "usb"
    THUNDERBOLT = "thunderbolt"


FATAL = frozenset((UseKind.FILE_SYSTEM, UseKind.SWAP, UseKind.DEFAULT_ROUTE))
"""What the host does not go on without."""


class Carrier(enum.Enum):
    """Which kind of device can carry a use whose device was not found."""

    DISK = "disk"
    INTERFACE = "network interface"
    ANY = "device"


@dataclass(frozen=True, slots=True)
class HostUse:
    """One thing that the host does with its devices.

    ``what`` names it: mount points, a swap area, a network interface, a terminal,
    connectors with a screen, mediated or virtual devices, processes (``Xorg (1234)``),
    or kinds of what is plugged in. ``via`` is the kernel's name of what it is on
    (``dm-0``, ``/dev/dri/card0``), empty if that says no more. ``needs`` are sets of
    device paths (``Device.path``): of each set one must stay, or the use is lost. One
    disk is one set of one; two disks of which both are needed are two sets; a mirror
    is one set of two. It is missing where the use is known and its devices are not;
    ``carrier`` says then what could be one.
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
        return tuple(sorted({path for one in self.needs for path in one}))

    @property
    def text(self) -> str:
        """The use in a few words, as ``list`` shows it: ``nvme0n1p2: /, /home``."""
        what = some(self.what)
        match self.kind:
            case UseKind.FILE_SYSTEM:
                return f"{shown(self.via)}: {what}" if self.via else what
            case UseKind.SWAP:
                return f"swap: {what}"
            case UseKind.DEFAULT_ROUTE | UseKind.NETWORK:
                return f"{what}: {self.kind.value}"
            case UseKind.MEDIATED:
                return f"mdev: {what}"
            case UseKind.VIRTUAL_FUNCTION:
                return f"VFs: {what}"
            case UseKind.PROCESS:
                return f"open: {what}"
            case _:
                return f"{self.kind.value}: {what}"


def some(names: Iterable[str], between: str = ", ") -> str:
    """Return the first few of names, and how many more there are."""
    words = [shown(name) for name in names]
    if len(words) > _MOST + 1:
        words = [*words[:_MOST], f"{len(words) - _MOST} more"]
    return between.join(words)


@dataclass(frozen=True)
class Host:
    """What a source tells of the host's own uses of its devices.

    ``uses`` are those that were found. ``untold`` names the kinds that the source
    does not show, or not to this user, or not all of. ``disks`` and ``interfaces`` are
    the paths of the devices that have a block device, or a network interface, below
    them. ``nodes`` are the names of network interfaces and
    block devices, each with the paths of all devices that it stands on.
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

    @cached_property
    def unplaced(self) -> tuple[HostUse, ...]:
        """The uses whose devices are not told."""
        return tuple(use for use in self.uses if not known(use.needs))

    def unplaced_on(self, carriers: frozenset[Carrier]) -> tuple[HostUse, ...]:
        """Return those that a host does not go on without and that these carry."""
        found = self._unplaced_on.get(carriers)
        if found is None:
            uses = self.unplaced
            found = tuple(
                use for use in uses if use.carrier in carriers and use.kind in FATAL
            )
            self._unplaced_on[carriers] = found
        return found

    @cached_property
    def _unplaced_on(self) -> dict[frozenset[Carrier], tuple[HostUse, ...]]:
        return {}

    def standing_on(self, path: str) -> Mapping[int, Sequence[str]]:
        """Return the places in ``uses`` of what is on a device or below it.

        With each is which of its paths are there.
        """
        return self._below.get(path, {})

    def ends(self, number: int, gone: Collection[str]) -> bool:
        """Say whether the use at this place ends when these paths of it are gone."""
        sets = self._sets_of(number)
        return any(
            len(some) <= len(gone) and all(path in gone for path in some)
            for path in gone
            for some in sets.get(path, ())
        )

    def _sets_of(self, number: int) -> Mapping[str, Sequence[tuple[str, ...]]]:
        found = self._sets.get(number)
        if found is None:
            found = self._sets[number] = {}
            for some in value_or(self.uses[number].needs, ()):
                for path in some[:1]:  # one is enough to find it by
                    found.setdefault(path, []).append(some)
        return found

    @cached_property
    def _sets(self) -> dict[int, dict[str, list[tuple[str, ...]]]]:
        return {}

    def carries(self, path: str, carrier: Carrier) -> Fact[bool]:
        """Say whether a device has a block device, or an interface, below it."""
        if carrier is Carrier.DISK:
            places = self._disk_places
        else:
            places = self._interface_places
        return path in places if known(places) else places

    @cached_property
    def _below(self) -> dict[str, dict[int, list[str]]]:
        found: dict[str, dict[int, list[str]]] = {}
        for number, use in enumerate(self.uses):
            for path in use.paths:
                for above in _and_above(path):
                    found.setdefault(above, {}).setdefault(number, []).append(path)
        return found

    @cached_property
    def _disk_places(self) -> Fact[frozenset[str]]:
        return _places(self.disks)

    @cached_property
    def _interface_places(self) -> Fact[frozenset[str]]:
        return _places(self.interfaces)


def _places(paths: Fact[tuple[str, ...]]) -> Fact[frozenset[str]]:
    if not known(paths):
        return paths
    return frozenset(above for path in paths for above in _and_above(path))


def _and_above(path: str) -> Iterable[str]:
    here = path
    while here:
        yield here
        here = here.rpartition("/")[0]
