"""VF tokens: what opens a virtual function whose physical function is on vfio-pci.

Since v5.7 such a function opens only for who knows the UUID that the physical
function's user set (``vfio_pci_validate_vf_token()`` in
drivers/vfio/pci/vfio_pci_core.c). Who that is and which UUID it set, no source tells.
"""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.kernel.ownership.tokens import GROUPS_ASK, asks
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import normalised
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.text import shown
from iommu_inspect.rules._words import addresses

__all__ = ["TOKEN", "needs_token", "owner_of", "token_note"]

TOKEN = "$VF_TOKEN"  # noqa: S105 - the name of a shell's variable


def needs_token(machine: Machine, device: Device) -> bool:
    """Say whether the device opens only with a token."""
    owner = owner_of(machine, device)
    if owner is None or not isinstance(owner.driver, str):
        return False
    if asks(machine, GROUPS_ASK) is False:
        return False
    return normalised(owner.driver) == "vfio_pci"


def owner_of(machine: Machine, device: Device) -> Device | None:
    """Return the physical function of a virtual one."""
    family = machine.family(device)
    if family is None or device.id == family.physical.id:
        return None
    return family.physical


def token_note(
    machine: Machine, locked: Sequence[Device], given: Sequence[Device]
) -> str:
    """Say in words what VF_TOKEN is; ``locked`` are the devices that need it."""
    owners = [owner for d in locked if (owner := owner_of(machine, d)) is not None]
    unique = list({owner.id: owner for owner in owners}.values())
    names, which = addresses(locked), addresses(unique)
    if all(any(owner is other for other in given) for owner in unique):
        return (
            f"VF_TOKEN is a UUID of your choice (VF_TOKEN=$(uuidgen)): {which} sets "
            f"it, and {names} opens with it."
        )
    verb = "opens" if len(locked) == 1 else "open"
    return (
        f"VF_TOKEN is the UUID that the user of {shown(which)} has set, the physical "
        f"function, which has to be open first: {names} {verb} only with it "
        "(-EACCES without)."
    )
