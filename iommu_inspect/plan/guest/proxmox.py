"""What a guest of Proxmox VE is given: ``hostpciN`` lines, and ``qm set``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.regs import PCI_BASE_CLASS_DISPLAY
from iommu_inspect.model.text import listed
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.moves import VFIO_PCI, Decision, Move
from iommu_inspect.plan.guest.guests import slots, too_long
from iommu_inspect.plan.guest.tokens import needs_token
from iommu_inspect.plan.sheets import Sheet
from iommu_inspect.plan.steps.making import Plan
from iommu_inspect.rules._words import addresses

__all__ = ["proxmox"]

# $MAX_HOSTPCI_DEVICES in PVE::QemuServer::PCI.
_MOST = 16


def proxmox(plan: Plan) -> Sheet:
    """Return the lines of a guest's file, and the command that writes them."""
    by_address = {a: m for m in plan.moves if (a := m.device.pci_address)}
    cards = slots(plan.machine, plan.moves)
    given = [by_address[a].device for card in cards for a in card]
    locked = [d for d in given if needs_token(plan.machine, d)]
    without_line = {device.id for device in locked}
    notes = []
    if locked:
        notes.append(
            f"No line for {addresses(locked)}: the physical function is on vfio-pci, "
            "and hostpci has no place for its VF token."
        )
    long: list[PciAddress] = []
    values = []
    for card in cards:
        if any(by_address[address].device.id in without_line for address in card):
            continue
        if too_long(card):
            long += card
            continue
        values.append(_value(plan, by_address, card))
    if long:
        notes.append(
            f"No line for {listed(map(str, long))}: hostpci takes PCI domains of 4 "
            "digits."
        )
    if len(values) > _MOST:
        notes.append(
            f"A guest has {_MOST} hostpci lines at most; the rest is left out."
        )
        values = values[:_MOST]
    released = [m.device for m in plan.moves if m.decision is Decision.RELEASED]
    if released and values:
        notes.append(
            f"When the guest starts, Proxmox binds {addresses(released)} to vfio-pci "
            "as well: all of the group that is no bridge."
        )
    if not values:
        return Sheet((), tuple(notes))
    needs = " (pcie=1 needs 'machine: q35')" if any("pcie" in v for v in values) else ""
    lines = [f"# In /etc/pve/qemu-server/VMID.conf{needs}:"]
    lines += [f"hostpci{n}: {value}" for n, value in enumerate(values)]
    words = " ".join(f"--hostpci{n} {shell.word(v)}" for n, v in enumerate(values))
    lines += ["# The same as a command; VMID is the guest's number:"]
    lines += [f"qm set VMID {words}"]
    shows = [d for d in given if _is_display(d) and d.id not in without_line]
    if shows:
        lines.append(
            f"# Add ,x-vga=1 for {addresses(shows[:1])} as the guest's only display."
        )
    return Sheet(tuple(lines), tuple(notes))


def _value(
    plan: Plan, moves: Mapping[PciAddress, Move], card: Sequence[PciAddress]
) -> str:
    """Return one value: a whole slot, or functions by name.

    Without a function number Proxmox takes whatever is in the slot, virtual functions
    too: it is left out only if all of that is given. ``driver=keep``
    leaves a driver alone that is not vfio-pci.
    """
    first = card[0]
    slot = {device.pci_address for device in plan.machine.in_slot(first)}
    whole = len(card) > 1 and slot == {*card}
    hosts = first.slot_name if whole else ";".join(map(str, card))
    theirs = [moves[address] for address in card]
    kept = {m.becomes for m in theirs if m.decision is Decision.MOVES} - {VFIO_PCI}
    conventional = all(m.device.pci.pcie_type is None for m in theirs)
    options = ["" if conventional else "pcie=1", "driver=keep" if kept else ""]
    return ",".join((hosts, *filter(None, options)))


def _is_display(device: Device) -> bool:
    base = device.base_class
    return known(base) and base >> 8 == PCI_BASE_CLASS_DISPLAY
