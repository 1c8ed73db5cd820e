"""What a plan can do: the kinds of its steps."""

from __future__ import annotations

from typing import TypeAlias

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device

__all__ = [
    "AllowUnsafe",
    "Load",
    "PlanStep",
    "Probe",
    "Rebind",
    "SetOverride",
    "TakeOff",
]


@dataclass(frozen=True, slots=True)
class Load:
    """Have a module: loaded, or built in."""

    module: str


@dataclass(frozen=True, slots=True)
class AllowUnsafe:
    """Allow interrupts that are not remapped, or forbid them again."""

    allowed: bool


@dataclass(frozen=True, slots=True)
class _OnDevice:
    """What is done to a device, and with which driver."""

    device: Device
    driver: str


class SetOverride(_OnDevice):
    """Say which driver alone may bind to a device; empty: whichever fits."""

    __slots__ = ()


class TakeOff(_OnDevice):
    """Take a driver off a device."""

    __slots__ = ()


class Probe(_OnDevice):
    """Have the bus look for a driver, which the override names."""

    __slots__ = ()


class Rebind(_OnDevice):
    """Give a device to the driver that it had."""

    __slots__ = ()


PlanStep: TypeAlias = Load | AllowUnsafe | SetOverride | TakeOff | Probe | Rebind
