"""The plan in the words of one tool: Proxmox, driverctl, DPDK or SPDK.

The decisions are the plan's, and so is the order; only the words differ.
"""

from __future__ import annotations

from collections.abc import Iterator

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.fact import known
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.moves import NOT_TOLD, VFIO_PCI, Decision, Move
from iommu_inspect.plan.guest.tokens import TOKEN, needs_token, token_note
from iommu_inspect.plan.host.commands import (
    commands,
    driverctl_back,
    driverctl_set,
)
from iommu_inspect.plan.steps import acts
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.rules._words import addresses, verb

__all__ = ["Sheet", "dpdk", "saved_driverctl", "spdk"]

# Base classes of what dpdk-devbind.py knows for sure: networks and crypto.
_OF_DEVBIND = (0x02, 0x10)
_NVME = 0x0108


@dataclass(frozen=True, slots=True)
class Sheet:
    """Lines to be copied, comments among them, and notes for people."""

    lines: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def saved_driverctl(plan: Plan) -> Sheet:
    """Return overrides that driverctl keeps for every boot, and their undo."""
    lines = list(commands(s for s in plan.there if isinstance(s, acts.AllowUnsafe)))
    lines += [
        driverctl_set(step.device, step.driver, save=True)
        for step in plan.there
        if isinstance(step, acts.SetOverride)
    ]
    notes = []
    settled = [
        m for m in plan.moves if m.decision is Decision.STAYS and _on_vfio_pci(m)
    ]
    if settled:
        # set-override takes the driver off first, also if it is the right one.
        lines.append(
            f"# {addresses(m.device for m in settled)}: on {VFIO_PCI} already. While "
            "no guest has it,"
        )
        lines.append("# this keeps it there at every boot:")
        lines += [f"# {driverctl_set(m.device, VFIO_PCI, save=True)}" for m in settled]
    back = driverctl_back(plan.back, save=True)
    if back:
        lines += ["# Undo (shut the guest down first):", *(f"# {x}" for x in back)]
    elif any(m.changes for m in plan.moves):
        notes.append(
            "driverctl cannot take it back as it was: a device had no driver, or one "
            "by an override. --format shell has an undo that can."
        )
    return Sheet(tuple(lines), tuple(notes))


def dpdk(plan: Plan) -> Sheet:
    """Return the commands of dpdk-devbind.py, and the arguments of EAL."""
    machine = plan.machine
    used = [m.device for m in plan.moves if m.asked and _is_used(m)]
    locked = [d for d in used if needs_token(machine, d)]
    lines, notes = list(_binding(plan)), []
    lines.append("# EAL arguments (before DPDK 20.11 -w in place of -a):")
    words = [f"-a {shell.device(d)}" for d in used]
    if locked:
        words.append(f"--vfio-vf-token={TOKEN}")
        notes.append(token_note(machine, locked, used))
    lines.append(" ".join(words))
    back = _devbind_back(plan) if _devbind_can(plan) else commands(plan.back)
    if back:
        lines += ["# Undo (end DPDK first):", *(f"# {line}" for line in back)]
    by_kernel = [
        m.device for m in plan.moves if m.asked and _is_used(m) and _on_host(m)
    ]
    if by_kernel:
        stays = verb(by_kernel, "stays on its driver", "stay on their drivers")
        it = verb(by_kernel, "it through that", "them through these")
        notes.append(f"{addresses(by_kernel)} {stays}: DPDK uses {it}.")
    return Sheet(tuple(lines), tuple(notes))


def _binding(plan: Plan) -> Iterator[str]:
    if not _devbind_can(plan):
        yield from commands(plan.there)
        return
    yield from commands(
        s for s in plan.there if isinstance(s, (acts.Load, acts.AllowUnsafe))
    )
    taken = [shell.device(s.device) for s in plan.there if isinstance(s, acts.TakeOff)]
    bound = [shell.device(s.device) for s in plan.there if isinstance(s, acts.Probe)]
    # It refuses interfaces with a route; --force would not.
    if taken:
        yield f"dpdk-devbind.py --unbind {' '.join(taken)}"
    if bound:
        yield f"dpdk-devbind.py --bind={VFIO_PCI} {' '.join(bound)}"


def _devbind_back(plan: Plan) -> list[str]:
    bound = [shell.device(s.device) for s in plan.back if isinstance(s, acts.TakeOff)]
    lines = [f"dpdk-devbind.py --unbind {' '.join(bound)}"] if bound else []
    lines += [
        f"dpdk-devbind.py --bind={shell.driver(s.driver)} {shell.device(s.device)}"
        for s in plan.back
        if isinstance(s, acts.Rebind)
    ]
    return lines


def _devbind_can(plan: Plan) -> bool:
    """Say whether dpdk-devbind.py can do what the plan does, and take it back.

    It knows networks and crypto only, binds to vfio-pci, keeps no driver away, and
    clears every override.
    """
    changed = [move for move in plan.moves if move.changes]
    return all(
        move.device.is_pci
        and move.decision is Decision.MOVES
        and move.becomes == VFIO_PCI
        and _base(move.device) in _OF_DEVBIND
        and move.device.driver != NOT_TOLD
        and move.device.driver_override in (None, "")
        for move in changed
    )


def spdk(plan: Plan) -> Sheet:
    """Return the call of SPDK's scripts/setup.sh for the drives that were asked for."""
    asked = [m for m in plan.moves if m.asked and _is_used(m)]
    drives = [m for m in asked if m.device.base_class == _NVME]
    others = [m.device for m in asked if m not in drives]
    notes = []
    if others:
        notes.append(
            f"scripts/setup.sh is not for {addresses(others)}: it takes NVMe drives, "
            "and DMA engines, virtio and VMD devices whose ids it knows."
        )
    if not drives:
        return Sheet((), tuple(notes))
    lines = []
    alone = all(m in drives for m in plan.moves if m.changes)
    if any(m.becomes != VFIO_PCI for m in drives if m.changes):
        alone = False
    if not alone:
        lines += ["# It moves NVMe drives only; the group needs more, so first:"]
        lines += commands(plan.there)
    names = " ".join(shell.device(m.device) for m in drives)
    allowed = f"PCI_ALLOWED={shell.word(names)}"
    lines += [
        "# As root, in SPDK's tree. Without PCI_ALLOWED it would take every NVMe drive",
        "# that has no file system mounted and no data; one that has, it leaves out.",
        f"{allowed} DRIVER_OVERRIDE={VFIO_PCI} scripts/setup.sh",
        "# It rescans the PCI bus, and allocates huge pages (HUGEMEM, 2048 MB), which",
        "# stay. Undo:",
        f"# {allowed} scripts/setup.sh reset",
    ]
    if not alone:
        lines += [f"# {line}" for line in commands(plan.back)]
    return Sheet(tuple(lines), tuple(notes))


def _is_used(move: Move) -> bool:
    return move.decision in (Decision.MOVES, Decision.STAYS)


def _on_vfio_pci(move: Move) -> bool:
    return move.device.driver == VFIO_PCI


def _on_host(move: Move) -> bool:
    return move.decision is Decision.STAYS and has_vfio_driver(move.device) is False


def _base(device: Device) -> int | None:
    base = device.base_class
    return base >> 8 if known(base) else None
