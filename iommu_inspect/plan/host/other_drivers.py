"""What holds at every boot for devices that are wanted on other drivers than vfio's."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.plan.decision.moves import UIO, Decision, Move
from iommu_inspect.plan.host.boot import Boot, boot, nothing_set
from iommu_inspect.plan.host.commands import driverctl_set
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.rules._words import addresses
from iommu_inspect.rules.finding import Purpose

__all__ = ["every_boot"]


def every_boot(plan: Plan, *, all_systems: bool = False) -> Boot | None:
    """Return the settings for every boot, ``None`` if there is nothing to set."""
    if plan.purpose is Purpose.ATTACH:
        return None
    asked = [move for move in plan.moves if move.asked]
    freed = any(move.decision is Decision.RELEASED for move in plan.moves)
    if plan.purpose is not Purpose.DPDK or freed or any(m.by_vfio for m in asked):
        return boot(plan, all_systems=all_systems)
    return _others([move for move in asked if move.changes])


def _others(moves: Sequence[Move]) -> Boot | None:
    """A driver that the kernel gives a device needs no setting; UIO has no ids."""
    if not moves:
        return None
    by_uio = [m for m in moves if m.becomes == UIO]
    return nothing_set(
        "by address, with driverctl" if by_uio else "nothing is to be set",
        *(
            f"{addresses([m.device])}: the kernel gives it to {m.becomes} by itself "
            "at every boot, unless a setting takes it for vfio-pci (ids= in modprobe.d "
            "or on the kernel's command line, driverctl): take that out."
            for m in moves
            if m.becomes != UIO
        ),
        by_driverctl=[driverctl_set(m.device, m.becomes, save=True) for m in by_uio],
    )
