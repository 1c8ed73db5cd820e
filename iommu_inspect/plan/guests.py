"""How the guest's side names the devices: libvirt's XML and QEMU's arguments."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.plan.moves import Decision, Move

__all__ = [
    "given",
    "iommufd_arguments",
    "libvirt_xml",
    "only_held",
    "qemu_arguments",
    "too_long",
]

# QEMU's "host=" takes 16 bits (set_pci_host_devaddr() in hw/core), and libvirt names
# devices to QEMU by it. libvirt's own schema takes 32 bits (9.0: pciDomain is a
# uint32); older versions say "Invalid PCI address domain, must be <= 0xFFFF".
_LARGEST_DOMAIN = 0xFFFF
# The vfio character devices, which iommufd needs, came with v6.6.
_DEVICE_CDEV = (6, 6)


def given(moves: Sequence[Move]) -> list[PciAddress]:
    """Return what the guest gets: what was asked for, and the rest of the card.

    The other functions of a slot belong to the same card; what only shares the group
    stays out, and out of the host's hands.
    """
    asked = [m.device.pci_address for m in moves if m.asked]
    slots = {address.slot_name for address in asked if address is not None}
    return [a for a in _on_vfio(moves) if a in asked or a.slot_name in slots]


def only_held(moves: Sequence[Move]) -> list[PciAddress]:
    """Return what is on vfio only because it shares a group."""
    guests = given(moves)
    return [address for address in _on_vfio(moves) if address not in guests]


def _on_vfio(moves: Sequence[Move]) -> list[PciAddress]:
    found = [
        move.device.pci_address
        for move in moves
        if move.to_vfio
        or (move.decision is Decision.STAYS and has_vfio_driver(move.device))
    ]
    return sorted(address for address in found if address is not None)


def too_long(addresses: Sequence[PciAddress]) -> list[PciAddress]:
    """Return what libvirt cannot hand to QEMU, such as what is behind a VMD."""
    return [a for a in addresses if a.domain > _LARGEST_DOMAIN]


def libvirt_xml(moves: Sequence[Move]) -> str:
    """Return one ``<hostdev>`` a device, for ``<devices>`` of a domain.

    ``managed='no'``: the plan has bound the devices, and libvirt is to leave them so.
    """
    addresses = given(moves)
    return "\n".join(_hostdev(a) for a in addresses if a not in too_long(addresses))


def _hostdev(address: PciAddress) -> str:
    return (
        "<hostdev mode='subsystem' type='pci' managed='no'>\n"
        "  <source>\n"
        f"    <address domain='0x{address.domain:04x}' bus='0x{address.bus:02x}' "
        f"slot='0x{address.slot:02x}' function='0x{address.function:x}'/>\n"
        "  </source>\n"
        "</hostdev>"
    )


def qemu_arguments(moves: Sequence[Move]) -> tuple[str, ...]:
    """Return QEMU's arguments, one a line; a card's functions share a guest slot.

    A root port (``-machine q35``) makes the slot for a card with several functions.
    """
    lines: list[str] = []
    for _slot, functions in groupby(given(moves), key=lambda a: a.slot_name):
        card = list(functions)
        if len(card) == 1:
            lines.append(f"-device vfio-pci,{_host(card[0])}")
            continue
        port = f"card{sum('pcie-root-port' in line for line in lines) + 1}"
        number = port.removeprefix("card")
        lines.append(f"-device pcie-root-port,id={port},chassis={number}")
        for index, function in enumerate(card):
            more = ",multifunction=on" if index == 0 else ""
            lines.append(
                f"-device vfio-pci,{_host(function)},bus={port},"
                f"addr=0x0.{index:#x}{more}"
            )
    return tuple(lines)


def _host(address: PciAddress) -> str:
    """Name the device; ``host=`` takes domains of 16 bits only."""
    if address.domain > _LARGEST_DOMAIN:
        return f"sysfsdev=/sys/bus/pci/devices/{address}"
    return f"host={address}"


def iommufd_arguments(
    machine: Machine, semantics: Semantics, moves: Sequence[Move]
) -> tuple[str, ...]:
    """Return the arguments by way of iommufd, where the kernel may have its files."""
    has = "iommufd" in machine.kernel.features
    if not has or any(era.since < _DEVICE_CDEV for era in semantics.eras):
        return ()
    plain = qemu_arguments(moves)
    if not plain:
        return ()
    return (
        "-object iommufd,id=iommufd0",
        *(
            line.replace("-device vfio-pci,", "-device vfio-pci,iommufd=iommufd0,")
            for line in plain
        ),
    )
