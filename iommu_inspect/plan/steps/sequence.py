"""The steps of a plan, there and back: the one sequence that all output is made of."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.kernel.ownership.uio import is_on_uio
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import VFIO_DRIVERS, normalised
from iommu_inspect.model.fact import known
from iommu_inspect.plan.decision.moves import NOT_TOLD, Decision, Move, moved
from iommu_inspect.plan.steps.acts import (
    AllowUnsafe,
    Load,
    PlanStep,
    Probe,
    Rebind,
    SetOverride,
    TakeOff,
)

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
    changed = moved(moves)
    return (
        *(Load(module) for module in load),
        *(AllowUnsafe(allowed=True) for _ in range(unsafe)),
        *(SetOverride(move.device, move.override) for move in changed),
        *(TakeOff(device, driver) for device, driver in reversed(_bound(changed))),
        *(Probe(move.device, move.becomes) for move in _going(changed)),
    )


def steps_back(moves: Iterable[Move], *, unsafe: bool) -> tuple[PlanStep, ...]:
    """Return the steps back: each device to the driver and the override it had.

    An override that names another driver than the one that was bound would keep it
    off: it comes back after the driver. Modules stay loaded: without a device they do
    nothing.
    """
    changed = moved(moves)
    devices = [move.device for move in changed]
    late = [device for device in devices if _had(device) != _to_rebind(device)]
    return (
        *(TakeOff(move.device, move.becomes) for move in _going(changed)),
        *(SetOverride(device, _to_rebind(device)) for device in devices),
        *(_rebind(device, driver) for device, driver in _bound(changed)),
        *(SetOverride(device, _had(device)) for device in late),
        *(AllowUnsafe(allowed=False) for _ in range(unsafe)),
    )


def _rebind(device: Device, driver: str) -> PlanStep:
    """Give a device back; where its driver was not told, the bus finds it."""
    if driver == NOT_TOLD:
        return Probe(device, driver)
    return Rebind(device, driver)


def _bound(changed: Sequence[Move]) -> list[tuple[Device, str]]:
    """Return the devices that have drivers, and these."""
    drivers = [(move.device, move.device.driver) for move in changed]
    return [(device, driver) for device, driver in drivers if known(driver) and driver]


def _going(changed: Sequence[Move]) -> list[Move]:
    return [move for move in changed if move.decision is Decision.MOVES]


def _had(device: Device) -> str:
    """Return the override of now, empty without one or if it is not told."""
    override = device.driver_override
    return override if isinstance(override, str) else ""


def _to_rebind(device: Device) -> str:
    """Return the override under which the driver of now binds again.

    The one of now, unless it names another driver; and a driver that has few ids of
    its own or none binds under an override whatever it came by.
    """
    had, driver = _had(device), device.driver
    if not known(driver) or driver is None or driver == NOT_TOLD:
        return had
    few_ids = normalised(driver) in VFIO_DRIVERS or is_on_uio(device)
    return driver if had or few_ids else had
