"""The VF token, which vfio asks for where a user may have the physical function too.

vfio_pci_validate_vf_token() in drivers/vfio/pci/vfio_pci_core.c: a virtual function
whose physical one is on the same driver is opened with the token that its user has set,
and with none by nobody. Such functions were made by vfio: it does not bind to a
physical function that has some already (vfio_pci_core_register_device()).
"""

from __future__ import annotations

from iommu_inspect.kernel.answers import UNKNOWN, Answer
from iommu_inspect.kernel.citations import VF_TOKEN, Citation
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import known
from iommu_inspect.model.machine import Machine

__all__ = ["RULE", "refused_without_token"]

RULE = "sriov-mix"


def refused_without_token(
    machine: Machine, device: Device, *, asks: bool | None, since: Citation = VF_TOKEN
) -> Answer | None:
    """Return why a device is not opened without a token, ``None`` if it is.

    ``asks`` says whether the call asks for a token in this kernel, ``None`` where that
    is not known, and ``since`` where the rule came from.
    """
    physfn = device.pci.physfn
    if not device.may_be_pci or physfn is None or asks is False:
        return None
    physical = machine.device(physfn) if known(physfn) else None
    if physical is not None and has_vfio_driver(physical) is False:
        return None
    if physical is None or not known(physical.driver):
        because = "its physical function may be on a vfio driver: a VF token is wanted"
        return Answer(UNKNOWN, RULE, because, (since,))
    if asks is None or not _share_a_driver(device, physical):
        because = (
            f"its physical function is on {physical.driver}, and whether this kernel "
            "asks for a VF token here is not known"
        )
        return Answer(UNKNOWN, RULE, because, (since,))
    because = (
        f"its physical function {physical.address} is on {physical.driver}: opening it "
        "takes the VF token that the other's user has set"
    )
    return Answer("-EACCES", RULE, because, (since,))


def _share_a_driver(one: Device, other: Device) -> bool:
    names = [d.driver for d in (one, other) if isinstance(d.driver, str)]
    return len(names) == 2 and len({normalised(name) for name in names}) == 1
