"""Devices that vfio-pci refuses, since a guest may harm the host through them.

``vfio_pci_dev_in_denylist()`` in drivers/vfio/pci/vfio_pci.c: a probe of one returns
-EINVAL unless the module was loaded with ``disable_denylist``.
"""

from __future__ import annotations

from iommu_inspect.kernel.citations import DENYLIST
from iommu_inspect.kernel.eras import Era, Semantics, version_within
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import known, unread, value_or
from iommu_inspect.model.host.kernel_release import carries_code_back, version_of
from iommu_inspect.model.host.settings import ModprobeConfig
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import PCI_VENDOR_ID_INTEL

__all__ = ["DENIED", "Denial", "denial", "denied_in", "is_listed"]

_QAT = (5, 9)
# DSA and IAX came with v6.9 and were taken into stable kernels (6.1.192 and 6.12.117
# of Debian have them): of releases between these two it cannot be told.
_DSA_CERTAINLY, _DSA_NOT_BEFORE = (6, 9), (5, 9)
DENIED: dict[int, tuple[tuple[int, int], tuple[int, int]]] = {
    **dict.fromkeys((0x0435, 0x0443, 0x19E2, 0x19E3, 0x37C8, 0x37C9), (_QAT, _QAT)),
    **dict.fromkeys((0x0B25, 0x0CFE), (_DSA_CERTAINLY, _DSA_NOT_BEFORE)),
}
"""Device ids of Intel: the release since which they are listed for certain, and the
one before which they are not."""
_VFIO_PCI = "vfio_pci"
_YES = ("1", "y", "Y", "on", "yes", None)


@dataclass(frozen=True, slots=True)
class Denial:
    """Whether vfio-pci refuses a device, ``None`` if that cannot be told; and why."""

    denied: bool | None
    because: str
    references: tuple[str, ...] = (str(DENYLIST),)


def is_listed(device: Device) -> bool:
    """Say whether some kernel has the device in its list."""
    return device.ids.vendor == PCI_VENDOR_ID_INTEL and device.ids.device in DENIED


def denied_in(machine: Machine, device: Device, era: Era) -> Denial:
    """Say whether vfio-pci refuses a device under the rules of one era.

    A release that was told or asked for decides; of others only the era is known.
    """
    vendor, model = device.ids.vendor, device.ids.device
    others = known(vendor) and vendor != PCI_VENDOR_ID_INTEL
    if not others and (unread(vendor) or unread(model)):
        return Denial(None, "its ids could not be read, and vfio-pci denies some")
    if not is_listed(device) or not known(device.ids.device):
        return Denial(False, "it is not in the denylist of vfio-pci", ())
    pair = str(device.ids.pair)
    if _disabled(machine):
        return Denial(False, f"{pair} is in the denylist, but disable_denylist is on")
    certainly, not_before = DENIED[device.ids.device]
    release = value_or(machine.kernel.release, "")
    version = version_within(release, era)
    at_least = version or era.since
    if at_least >= certainly:
        return Denial(True, f"{pair} is in the denylist of vfio-pci")
    if version is not None and version < not_before and not carries_code_back(release):
        name = release if version == version_of(release) else "v{}.{}".format(*version)
        return Denial(False, f"{name} has no denylist with {pair}")
    if version is None and era.since < (4, 2):
        return Denial(False, "kernels before v5.9 have no denylist")
    return Denial(None, f"whether this kernel has {pair} in a denylist cannot be told")


def denial(machine: Machine, device: Device, semantics: Semantics) -> Denial:
    """Say the same for all eras that may apply; unknown where they differ."""
    found = [denied_in(machine, device, era) for era in semantics.eras]
    if len({each.denied for each in found}) == 1:
        return found[-1]
    pair = device.ids.pair
    return Denial(None, f"whether the kernel has {pair} in a denylist cannot be told")


def _disabled(machine: Machine) -> bool:
    """Say whether the list is known to be off: as it is, or as it is configured."""
    now = machine.vfio.disable_denylist
    if known(now):
        return now
    settings = machine.settings
    words = [
        w
        for w in value_or(settings.command_line, ())
        if w.key == f"{_VFIO_PCI}.disable_denylist"
    ]
    for line in value_or(settings.modprobe, ModprobeConfig()).about(
        "options", _VFIO_PCI
    ):
        words += [word for word in line.options if word.key == "disable_denylist"]
    return bool(words) and words[-1].value in _YES
