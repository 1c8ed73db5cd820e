"""The order of the steps, there and back, as ``whatif`` takes them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from iommu_inspect.kernel.steps.step import Step
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Device
from iommu_inspect.plan.moves import VFIO_PCI, Action, Move

__all__ = ["bound", "forward", "to_bind", "to_change", "to_release", "undo"]


def to_change(moves: Iterable[Move]) -> list[Move]:
    """Return the moves that do something, in the order of the addresses."""
    found = [move for move in moves if move.changes]
    return sorted(found, key=lambda move: move.device.id)


def to_release(moves: Iterable[Move]) -> list[Move]:
    """Return the moves that take a driver off a device, in the order to do so.

    The last function first: a card's audio and USB functions lean on its first one,
    and virtual functions on their physical one.
    """
    return [m for m in reversed(to_change(moves)) if bound(m.device)]


def to_bind(moves: Iterable[Move]) -> list[Move]:
    """Return the moves that bind a device to vfio-pci, in the order to do so."""
    return [m for m in to_change(moves) if m.action is Action.BIND]


def bound(device: Device) -> str | None:
    """Return the driver that is bound, ``None`` without one or if it is not told."""
    return device.driver if known(device.driver) else None


def forward(moves: Sequence[Move]) -> tuple[Step, ...]:
    """Return the steps: say who may bind, take all drivers off, then bind.

    All drivers go before the first device comes to vfio-pci, so that at no moment a
    group has both. The overrides come first, so that nothing binds in between.
    """
    steps = [_step("override", m.device, m.override) for m in to_change(moves)]
    steps += [_step("unbind", m.device) for m in to_release(moves)]
    steps += [_step("bind", m.device, VFIO_PCI) for m in to_bind(moves)]
    return tuple(steps)


def undo(moves: Sequence[Move]) -> tuple[Step, ...]:
    """Return the steps back: each device to the driver and the override it had."""
    steps = [_step("unbind", m.device) for m in to_bind(moves)]
    for move in reversed(to_release(moves)):
        steps.append(_step("bind", move.device, str(bound(move.device))))
    for move in to_change(moves):
        had = move.device.driver_override
        words = (had,) if isinstance(had, str) else ()
        steps.append(_step("override", move.device, *words))
    return tuple(steps)


def _step(verb: str, device: Device, *words: str) -> Step:
    return Step(
        f"{verb}={','.join((device.address, *words))}", verb, device.address, words
    )
