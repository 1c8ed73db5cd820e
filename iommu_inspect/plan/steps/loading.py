"""Which modules have to be there, and which of their switches have to be set."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.model.drivers import VFIO_DRIVERS, normalised
from iommu_inspect.model.host.iommu import InterruptRemapping
from iommu_inspect.model.machine import Machine
from iommu_inspect.plan.decision.dpdk import asks_nothing_of_group
from iommu_inspect.plan.decision.moves import Decision, Move
from iommu_inspect.rules.case import Case

__all__ = ["needs_unsafe", "to_load"]


def to_load(case: Case, moves: Sequence[Move]) -> tuple[str, ...]:
    """Return the modules that are needed, in the order of loading.

    vfio's soft dependency brings vfio_iommu_type1 along; a modprobe that knows none
    (busybox) does not, so it is named where it is not known to be there.
    """
    if not moves:
        return ()
    drivers = [m.becomes for m in moves if m.decision is Decision.MOVES]
    there = {device.driver for device in case.machine.devices}
    modules = [name for name in dict.fromkeys(drivers) if name not in there]
    if _opens_groups(case, moves) and case.machine.vfio.type1_loaded is not True:
        modules.append("vfio_iommu_type1")
    return tuple(modules)


def _opens_groups(case: Case, moves: Sequence[Move]) -> bool:
    """Say whether a group is to be opened by VFIO: one that VFIO made up has no type 1.

    DPDK opens none for what it has by other means.
    """
    asked = [m for m in moves if m.asked and m.group.is_noiommu is not True]
    return any(
        not asks_nothing_of_group(case, m.device)
        and normalised(m.becomes) in VFIO_DRIVERS
        for m in asked
    )


def needs_unsafe(machine: Machine, accept: frozenset[str]) -> bool:
    """Say whether interrupts that are not remapped are to be allowed."""
    return (
        "interrupt-remapping" in accept
        and machine.interrupt_remapping is not InterruptRemapping.ON
        and machine.vfio.type1_allow_unsafe_interrupts is not True
    )
