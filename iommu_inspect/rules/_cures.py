"""What would cure a finding, as data: ``plan/`` alone makes commands of it."""

from __future__ import annotations

import enum
from typing import TypeAlias

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.uses.host import UseKind

__all__ = [
    "AnotherSlot",
    "ByAddress",
    "ClearOverride",
    "Cure",
    "LoadModule",
    "Look",
    "Looking",
    "ProbeAgain",
    "RemoveVirtualFunctions",
    "SetParameter",
    "StopUsing",
    "TakeSnapshot",
    "WriteLine",
]


class Looking(enum.Enum):
    """What to look at on the host itself; the word behind says what it is about."""

    BOOT_DISPLAY = "boot-display"  # nothing: which card the firmware booted on
    DRIVER = "driver"  # a device
    FRAMEBUFFER = "framebuffer"  # nothing: who holds firmware's framebuffer
    HOLDERS = "holders"  # a file of /dev: who has it open
    GROUP_TYPE = "group-type"  # a device: whether the IOMMU translates for its group
    INTERRUPTS = "interrupts"  # nothing: whether interrupts are remapped
    IOMMU_CAPABILITY = "iommu-capability"  # an IOMMU unit of sysfs
    IOMMU_GROUP = "iommu-group"  # a device: which group it is in
    KERNEL_LOG = "kernel-log"  # a word to look for
    MEMBERS = "members"  # a group's id: who is in it
    MODULE = "module"  # a module: whether it is loaded
    MOUNTS = "mounts"  # nothing: what is mounted
    NAMES = "names"  # a device: its interfaces and disks
    NEIGHBOURS = "neighbours"  # a device: who is in its group
    NODE = "node"  # a group's id: who may open it
    POOL = "pool"  # a ZFS pool: which devices it is on
    REGIONS_OF = "regions-of"  # a device: the reserved regions of its group
    RESERVED_REGIONS = "reserved-regions"  # a group's id
    RESET_METHODS = "reset-methods"  # a device
    ROUTES = "routes"  # nothing: where the default route leaves
    SETTINGS = "settings"  # a file of modprobe.d
    STANDING_ON = "standing-on"  # nothing: which disks and interfaces are on which
    SWAPS = "swaps"  # nothing: where the host swaps to


@dataclass(frozen=True, slots=True)
class Look:
    """Find a fact out; nothing is changed by it."""

    what: Looking
    about: DeviceId | str = ""


@dataclass(frozen=True, slots=True)
class SetParameter:
    """Turn a module's parameter on or off, until the next boot."""

    module: str
    parameter: str
    on: bool


@dataclass(frozen=True, slots=True)
class LoadModule:
    """Have a module loaded."""

    module: str


@dataclass(frozen=True, slots=True)
class StopUsing:
    """Have the host stop using what ``what`` names.

    That is a file system's mount point, a swap area, or a mediated device.
    """

    kind: UseKind
    what: str


@dataclass(frozen=True, slots=True)
class ByAddress:
    """Choose a device's driver by its address, at every boot."""

    device: DeviceId
    driver: str


@dataclass(frozen=True, slots=True)
class ProbeAgain:
    """Have a driver that waits for a device bind to it now."""

    device: DeviceId
    driver: str


@dataclass(frozen=True, slots=True)
class ClearOverride:
    """Let whichever driver fits bind to a device again."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class RemoveVirtualFunctions:
    """Take a physical function's virtual ones away."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class WriteLine:
    """Write a line into a file; no file stands for the kernel's command line."""

    file: str
    line: str


@dataclass(frozen=True, slots=True)
class AnotherSlot:
    """Put the card into another slot, below a port that isolates."""

    device: DeviceId


@dataclass(frozen=True, slots=True)
class TakeSnapshot:
    """Capture the host whole, so that all of it can be told elsewhere."""


Cure: TypeAlias = (
    Look
    | TakeSnapshot
    | AnotherSlot
    | SetParameter
    | LoadModule
    | StopUsing
    | ByAddress
    | ProbeAgain
    | ClearOverride
    | RemoveVirtualFunctions
    | WriteLine
)
