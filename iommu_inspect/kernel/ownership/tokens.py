"""The VF token, which vfio asks for where a user may have the physical function too.

vfio_pci_validate_vf_token() in drivers/vfio/pci/vfio_pci_core.c: a virtual function
whose physical one is on the same driver is opened with the token that its user has set,
and with none by nobody. Such functions were made by vfio: it does not bind to a
physical function that has some already (vfio_pci_core_register_device()).
"""

from __future__ import annotations

from iommu_inspect.kernel.answers import UNKNOWN, Answer
from iommu_inspect.kernel.citations import VF_TOKEN, VF_TOKEN_OF_NODE, Citation
from iommu_inspect.kernel.eras import Era, has_since
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver, normalised
from iommu_inspect.model.fact import known, value_or
from iommu_inspect.model.host.kernel_release import carries_code_back, version_of
from iommu_inspect.model.machine import Machine

__all__ = ["GROUPS_ASK", "NODES_ASK", "Asking", "asks", "refused_without_token"]

_RULE = "sriov-mix"


@dataclass(frozen=True, slots=True)
class Asking:
    """One way to a device that takes a token, and the release since which it does."""

    since: tuple[int, int]
    origin: Citation


GROUPS_ASK = Asking((5, 7), VF_TOKEN)
NODES_ASK = Asking((6, 17), VF_TOKEN_OF_NODE)


def asks(machine: Machine, way: Asking, era: Era | None = None) -> bool | None:
    """Say whether a kernel asks for tokens; ``None`` where that is not known.

    That is the machine's own kernel, or one of an era. A vendor that carries code back
    may have carried this.
    """
    release = value_or(machine.kernel.release, "")
    if era is not None:
        return has_since(release, era, way.since)
    version = version_of(release)
    if version is None or (version < way.since and carries_code_back(release)):
        return None
    return version >= way.since


def refused_without_token(
    machine: Machine, device: Device, era: Era, way: Asking
) -> Answer | None:
    """Return why a device is not opened without a token, ``None`` if it is."""
    physfn, asked = device.pci.physfn, asks(machine, way, era)
    if not device.may_be_pci or physfn is None or asked is False:
        return None
    physical = machine.device(physfn) if known(physfn) else None
    if physical is not None and has_vfio_driver(physical) is False:
        return None
    cited = (way.origin,)
    if physical is None or not known(physical.driver):
        because = "its physical function may be on a vfio driver: a VF token is wanted"
        return Answer(UNKNOWN, _RULE, because, cited)
    if asked is None or not _share_a_driver(device, physical):
        because = (
            f"its physical function is on {physical.driver}, and whether this kernel "
            "asks for a VF token here is not known"
        )
        return Answer(UNKNOWN, _RULE, because, cited)
    because = (
        f"its physical function {physical.address} is on {physical.driver}: opening it "
        "takes the VF token that the other's user has set"
    )
    return Answer("-EACCES", _RULE, because, cited)


def _share_a_driver(one: Device, other: Device) -> bool:
    names = [d.driver for d in (one, other) if isinstance(d.driver, str)]
    return len(names) == 2 and len({normalised(name) for name in names}) == 1
