"""How the guest's side names the devices: libvirt's XML and QEMU's arguments."""

from __future__ import annotations

from collections.abc import Sequence

from iommu_inspect.kernel.eras import Semantics
from iommu_inspect.model.device import Device
from iommu_inspect.model.drivers import has_vfio_driver
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.plan import shell
from iommu_inspect.plan.decision.moves import Decision, Move
from iommu_inspect.plan.guest.cards import same_card
from iommu_inspect.plan.guest.tokens import TOKEN, needs_token, owner_of, token_note

__all__ = [
    "given",
    "iommufd_arguments",
    "libvirt_xml",
    "locked",
    "only_held",
    "qemu_arguments",
    "slots",
    "tokens_note",
    "too_long",
]

# QEMU's "host=" takes 16 bits (set_pci_host_devaddr() in hw/core), and libvirt names
# devices to QEMU by it. libvirt's own schema takes 32 bits (9.0: pciDomain is a
# uint32); older versions say "Invalid PCI address domain, must be <= 0xFFFF".
_LARGEST_DOMAIN = 0xFFFF
# The vfio character devices, which iommufd needs, came with v6.6.
_DEVICE_CDEV = (6, 6)
# The last of the 14 root ports that virt-install gives a q35 guest, of which few are
# used; libvirt adds root ports up to the bus that is named.
_LAST_BUS = 0x0E


def given(machine: Machine, moves: Sequence[Move]) -> list[PciAddress]:
    """Return what the guest gets: what was asked for, and the rest of the card.

    What only shares the group stays out, and out of the host's hands.
    """
    asked = [move.device for move in moves if move.asked]
    wanted = {other.id for device in asked for other in same_card(machine, device)}
    return sorted(
        address
        for device in _on_vfio(moves)
        if device.id in wanted and (address := device.pci_address) is not None
    )


def only_held(machine: Machine, moves: Sequence[Move]) -> list[PciAddress]:
    """Return what is on vfio only because it shares a group."""
    guests = set(given(machine, moves))
    found = [device.pci_address for device in _on_vfio(moves)]
    return sorted(a for a in found if a is not None and a not in guests)


def _on_vfio(moves: Sequence[Move]) -> list[Device]:
    return [
        move.device
        for move in moves
        if move.to_vfio
        or (move.decision is Decision.STAYS and has_vfio_driver(move.device))
    ]


def too_long(addresses: Sequence[PciAddress]) -> list[PciAddress]:
    """Return what libvirt cannot hand to QEMU, such as what is behind a VMD."""
    return [a for a in addresses if a.domain > _LARGEST_DOMAIN]


def libvirt_xml(machine: Machine, moves: Sequence[Move]) -> str:
    """Return one ``<hostdev>`` a device, for ``<devices>`` of a domain.

    ``managed='no'``: the plan has bound the devices, and libvirt is to leave them so.
    There is none for what needs a VF token, which has no place in it. The functions of
    a card share a slot of the guest: behind the root port of a bus
    that has to be free there.
    """
    long = set(too_long(given(machine, moves)))
    long |= {a for d in locked(machine, moves) if (a := d.pci_address) is not None}
    blocks: list[str] = []
    bus = _LAST_BUS
    for card in slots(machine, moves):
        if len(card) == 1 or any(address in long for address in card):
            blocks += [_hostdev(address) for address in card if address not in long]
            continue
        blocks.append(
            "<!-- One card: one slot of the guest (q35). Take another bus than "
            f"0x{bus:02x} if the guest has something there. -->"
        )
        blocks += [_hostdev(address, _guest_address(bus, address)) for address in card]
        bus -= 1
    return "\n".join(blocks)


def _guest_address(bus: int, address: PciAddress) -> str:
    more = " multifunction='on'" if address.function == 0 else ""
    return (
        f"  <address type='pci' domain='0x0000' bus='0x{bus:02x}' slot='0x00' "
        f"function='0x{address.function:x}'{more}/>\n"
    )


def _hostdev(address: PciAddress, at: str = "") -> str:
    return (
        "<hostdev mode='subsystem' type='pci' managed='no'>\n"
        "  <source>\n"
        f"    <address domain='0x{address.domain:04x}' bus='0x{address.bus:02x}' "
        f"slot='0x{address.slot:02x}' function='0x{address.function:x}'/>\n"
        "  </source>\n"
        f"{at}"
        "</hostdev>"
    )


def slots(machine: Machine, moves: Sequence[Move]) -> list[list[PciAddress]]:
    """Return what each slot of the guest holds.

    Functions of a card come together if the first one is among them: a guest looks
    for others only where there is a function 0 that says so (PCI 3.0, 3.2.2.3.4).
    Else each has a slot of its own, where it is the only function.
    """
    wanted = set(given(machine, moves))
    found: list[list[PciAddress]] = []
    taken: set[PciAddress] = set()
    for device in sorted(_on_vfio(moves), key=lambda device: device.id):
        own = device.pci_address
        if own is None or own not in wanted or own in taken:
            continue
        functions = [other.pci_address for other in same_card(machine, device)]
        card = [a for a in functions if a is not None and a in wanted]
        together = card if card[0].function == 0 else [own]
        found.append(together)
        taken |= set(together)
    return found


def qemu_arguments(machine: Machine, moves: Sequence[Move]) -> tuple[str, ...]:
    """Return QEMU's arguments, one a line; a card's functions share a guest slot.

    A root port (``-machine q35``) makes the slot for a card with several functions,
    which keep their numbers.
    """
    lines: list[str] = []
    tokens = _tokens(machine, moves)
    cards = 0
    for card in slots(machine, moves):
        if len(card) == 1:
            lines.append(f"-device vfio-pci,{_host(card[0])}{tokens.get(card[0], '')}")
            continue
        cards += 1
        lines.append(f"-device pcie-root-port,id=card{cards},chassis={cards}")
        for function in card:
            more = ",multifunction=on" if function.function == 0 else ""
            lines.append(
                f"-device vfio-pci,{_host(function)}{tokens.get(function, '')},"
                f"bus=card{cards},"
                f"addr=0x0.{function.function:#x}{more}"
            )
    return tuple(lines)


def locked(machine: Machine, moves: Sequence[Move]) -> list[Device]:
    """Return what is given and opens only with a VF token."""
    wanted = set(given(machine, moves))
    return [
        device
        for device in _on_vfio(moves)
        if device.pci_address in wanted and needs_token(machine, device)
    ]


def tokens_note(machine: Machine, moves: Sequence[Move]) -> str:
    """Say in words what the VF token is, empty if there is none."""
    found = locked(machine, moves)
    wanted = set(given(machine, moves))
    mine = [device for device in _on_vfio(moves) if device.pci_address in wanted]
    return token_note(machine, found, mine) if found else ""


def _tokens(machine: Machine, moves: Sequence[Move]) -> dict[PciAddress, str]:
    """Return the property with the token, by address: of both ends of a family.

    Who opens the physical function sets it, the virtual one shows it.
    """
    found = locked(machine, moves)
    owners = [owner_of(machine, device) for device in found]
    ends = [d.pci_address for d in (*found, *owners) if d is not None]
    return {address: f",vf-token={TOKEN}" for address in ends if address is not None}


def _host(address: PciAddress) -> str:
    """Name the device; ``host=`` takes domains of 16 bits only."""
    if address.domain > _LARGEST_DOMAIN:
        return f"sysfsdev={shell.sysfs(DeviceId.of_pci(address))}"
    return f"host={address}"


def iommufd_arguments(
    machine: Machine, semantics: Semantics, moves: Sequence[Move]
) -> tuple[str, ...]:
    """Return the arguments by way of iommufd, where the kernel may have its files."""
    has = "iommufd" in machine.kernel.features
    if not has or any(era.since < _DEVICE_CDEV for era in semantics.eras):
        return ()
    # A token by way of iommufd is a matter of newer kernels and QEMU: not looked at.
    plain = qemu_arguments(machine, moves)
    if not plain or locked(machine, moves):
        return ()
    return (
        "-object iommufd,id=iommufd0",
        *(
            line.replace("-device vfio-pci,", "-device vfio-pci,iommufd=iommufd0,")
            for line in plain
        ),
    )
