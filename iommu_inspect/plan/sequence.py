"""The steps of a plan, there and back: the one sequence that all output is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.plan.acts import (
    AllowUnsafe,
    Load,
    PlanStep,
    Probe,
    Rebind,
    SetOverride,
    TakeOff,
)
from iommu_inspect.plan.moves import VFIO_PCI, Action, Move

__all__ = ["steps_back", "steps_there"]


def steps_there(
    moves: Iterable[Move], load: Iterable[str], *, unsafe: bool
) -> tuple[PlanStep, ...]:
    """Return the steps: say who may bind, take all drivers off, then bind.

    All drivers go before the first device comes to vfio-pci, so that at no moment a
    group has both. The overrides come first, so that nothing binds in between. The
    last function loses its driver first: a card's audio and USB functions lean on its
    first one, and virtual functions on their physical one.
    """
    changed = _changed(moves)
    return (
        *(Load(module) for module in load),
        *(AllowUnsafe(allowed=True) for _ in range(unsafe)),
        *(SetOverride(move.device, move.override) for move in changed),
        *(TakeOff(device, driver) for device, driver in reversed(_bound(changed))),
        *(Probe(device, VFIO_PCI) for device in _to_vfio(changed)),
    )


def steps_back(moves: Iterable[Move], *, unsafe: bool) -> tuple[PlanStep, ...]:
    """Return the steps back: each device to the driver and the override it had.

    An override that names another driver than the one that was bound would keep it
    off: it comes back after the driver. Modules stay loaded: without a device they do
    nothing.
    """
    changed = _changed(moves)
    devices = [move.device for move in changed]
    late = [device for device in devices if _had(device) != _to_rebind(device)]
    return (
        *(TakeOff(device, VFIO_PCI) for device in _to_vfio(changed)),
        *(SetOverride(device, _to_rebind(device)) for device in devices),
        *(Rebind(device, driver) for device, driver in _bound(changed)),
        *(SetOverride(device, _had(device)) for device in late),
        *(AllowUnsafe(allowed=False) for _ in range(unsafe)),
    )


def _changed(moves: Iterable[Move]) -> list[Move]:
    """Return the moves that do something, in the order of the devices."""
    found = [move for move in moves if move.changes]
    return sorted(found, key=lambda move: move.device.id)


def _bound(changed: Sequence[Move]) -> list[tuple[Device, str]]:
    """Return the devices that have drivers, and these."""
    drivers = [(move.device, move.device.driver) for move in changed]
    return [(device, driver) for device, driver in drivers if known(driver) and driver]


def _to_vfio(changed: Sequence[Move]) -> list[Device]:
    return [move.device for move in changed if move.action is Action.BIND]


def _had(device: Device) -> str:
    """Return the override of now, empty without one or if it is not told."""
    override = device.driver_override
    return override if isinstance(override, str) else ""


def _to_rebind(device: Device) -> str:
    """Return the override under which the driver of now binds again.

    The one of now, unless it names another driver.
    """
    had, driver = _had(device), device.driver
    return driver if had and known(driver) and driver else had
