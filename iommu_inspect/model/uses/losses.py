"""What the host loses if drivers of the host let go of devices."""

from __future__ import annotations

from collections.abc import Iterable

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import UIO_DRIVERS, has_vfio_driver, normalised
from iommu_inspect.model.fact import Missing, known, value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import (
    PCI_BASE_CLASS_NETWORK,
    PCI_BASE_CLASS_NOT_DEFINED,
    PCI_BASE_CLASS_SERIAL,
    PCI_BASE_CLASS_STORAGE,
    PCI_BASE_CLASS_SYSTEM,
    PCI_BASE_CLASS_WIRELESS,
    PCI_CLASS_OTHERS,
)
from iommu_inspect.model.uses.host import FATAL, Carrier, HostUse, UseKind

__all__ = [
    "Loss",
    "could_carry",
    "host_losses",
    "is_fatal",
    "is_in",
    "perhaps_lost",
    "perhaps_untold",
]

_CARRIER_OF_KIND = {
    UseKind.FILE_SYSTEM: Carrier.DISK,
    UseKind.SWAP: Carrier.DISK,
    UseKind.DEFAULT_ROUTE: Carrier.INTERFACE,
}

# Base classes that can have a disk or an interface below them: serial buses are USB,
# system peripherals SD hosts; two of them say nothing.
_ANY = {PCI_BASE_CLASS_NOT_DEFINED, PCI_BASE_CLASS_SERIAL, PCI_CLASS_OTHERS}
_CLASSES = {
    Carrier.DISK: _ANY | {PCI_BASE_CLASS_STORAGE, PCI_BASE_CLASS_SYSTEM},
    Carrier.INTERFACE: _ANY | {PCI_BASE_CLASS_NETWORK, PCI_BASE_CLASS_WIRELESS},
}


@dataclass(frozen=True, slots=True)
class Loss:
    """A use of the host, and the paths of those taken devices that it stands on.

    ``whole`` says whether it ends; else it goes on with less: one disk of a mirror,
    one port of a bond.
    """

    use: HostUse
    paths: tuple[str, ...]
    whole: bool


def host_losses(machine: Machine, devices: Iterable[Device]) -> tuple[Loss, ...]:
    """Return what the host loses if all these devices are handed to user space.

    With a device goes what is below it (drives behind a VMD controller), and with a
    physical function go its virtual ones, which its driver removes. Bridges stay.
    A device is judged by what stands on it, so one on a vfio driver loses nothing.
    """
    host, taken = machine.host, _taken(machine, devices)
    lost: dict[int, set[str]] = {}
    for path in taken:
        for number, paths in host.standing_on(path).items():
            lost.setdefault(number, set()).update(paths)
    return tuple(
        Loss(host.uses[number], tuple(sorted(gone)), host.ends(number, gone))
        for number, gone in sorted(lost.items())
    )


def is_fatal(machine: Machine, device: Device) -> bool:
    """Say whether the host lives on this device alone."""
    return any(
        loss.whole and loss.use.kind in FATAL for loss in host_losses(machine, [device])
    )


def perhaps_lost(machine: Machine, device: Device) -> tuple[HostUse, ...]:
    """Return the uses whose devices are not told and could be this one."""
    if not machine.host.unplaced:
        return ()
    could = could_carry(machine, device)
    return machine.host.unplaced_on(could) if could else ()


def could_carry(machine: Machine, device: Device) -> frozenset[Carrier]:
    """Return what a device may have below it, as far as the source tells."""
    if not _may_carry(device):
        return frozenset()
    taken = _taken(machine, [device])
    found = {each for each in _CLASSES if _may_have(machine, device, taken, each)}
    return frozenset(found | {Carrier.ANY} if found else found)


def perhaps_untold(
    machine: Machine, device: Device
) -> tuple[tuple[UseKind, Missing], ...]:
    """Return the kinds of use that the source does not show and that could be here."""
    untold = [(k, why) for k, why in machine.host.untold if k in _CARRIER_OF_KIND]
    could = could_carry(machine, device) if untold else ()
    return tuple((kind, why) for kind, why in untold if _CARRIER_OF_KIND[kind] in could)


def _taken(machine: Machine, devices: Iterable[Device]) -> frozenset[str]:
    given = [device for device in devices if device.is_bridge is not True]
    functions = {each for d in given for each in value_or(d.pci.virtfns, ())}
    given += filter(None, map(machine.device, functions))
    return frozenset(d.path for d in given if known(d.path))


def is_in(path: str, taken: frozenset[str]) -> bool:
    """Say whether a device is among those taken, or below one of them."""
    here = path
    while here:
        if here in taken:
            return True
        here = here.rpartition("/")[0]
    return False


def _may_carry(device: Device) -> bool:
    """Say whether a device may have anything of the host below it.

    One that no driver of the host has does not.
    """
    driver = device.driver
    if driver is None or has_vfio_driver(device) or device.is_bridge is True:
        return False
    return not (
        isinstance(driver, str) and normalised(driver) in ("pci_stub", *UIO_DRIVERS)
    )


def _may_have(
    machine: Machine, device: Device, taken: frozenset[str], carrier: Carrier
) -> bool:
    """Say whether a device may have a disk or an interface below it.

    What the source shows of block devices and interfaces counts before the class.
    """
    below = [machine.host.carries(path, carrier) for path in taken or ("",)]
    if all(map(known, below)):
        return True in below
    code = device.ids.class_code
    if not known(code):  # of other buses there are no classes
        return True
    return code >> 16 in _CLASSES[carrier]
