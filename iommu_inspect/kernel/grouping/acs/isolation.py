"""Which functions keep requests from their peers: what ``pci_acs_enabled()`` asks.

Read in drivers/iommu/iommu.c and drivers/pci/pci.c of v6.12 and v7.3. ``None`` stands
for "cannot be told".
"""

from __future__ import annotations

from functools import cached_property

from iommu_inspect.kernel.grouping.acs.off import takes_acs_away
from iommu_inspect.kernel.grouping.acs.quirks import (
    REQUIRED_ACS,
    Quirk,
    acs_quirk,
    has_required,
    has_wide_controls,
    uncounted_controls,
)
from iommu_inspect.kernel.grouping.acs.unseen import Doubt, Unseen, why_unseen
from iommu_inspect.kernel.grouping.making.covered import AMD_LIKE
from iommu_inspect.kernel.grouping.making.dma_aliases import alias_devfns, devfn
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Acs, Device
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.machine import Machine
from iommu_inspect.model.pci.regs import (
    PCI_ACS_SV,
    PCI_CLASS_BRIDGE_HOST,
    PciExpType,
)
from iommu_inspect.model.topology import Topology

__all__ = ["Isolation", "OnBus", "nowhere", "same_slot"]

_CONVENTIONAL_BRIDGES = (
    PciExpType.PCI_BRIDGE,
    PciExpType.PCIE_BRIDGE,
    PciExpType.RC_EC,
)


@dataclass(frozen=True, slots=True)
class OnBus:
    """A function of a bus, its slot and number, and the others that it poses as."""

    device: Device
    devfn: int
    aliases: frozenset[int] | None


class Isolation:
    """What isolates on one machine; its facts are asked once.

    With ``asked`` it is supposed that the kernel set all functions up while an IOMMU
    was at work: then ``pci_enable_acs()`` switched on what their ACS has, whatever the
    source shows to be on.
    """

    def __init__(
        self, machine: Machine, topology: Topology | None = None, *, asked: bool = False
    ) -> None:
        self.machine = machine
        self.topology = topology or Topology(machine)
        tables = machine.firmware_tables
        self._has_ivrs = "IVRS" in tables if known(tables) else None
        if asked and not (known(tables) and tables):
            self._has_ivrs = _by_root_complex(machine)
        self._asked = asked
        # With the device, so that no other one gets its number.
        self._isolates: dict[int, tuple[Device, bool | None]] = {}

    def isolates(self, device: Device) -> bool | None:
        """Say whether a function keeps requests from its peers (``pci_acs_enabled()``).

        The kernel's quirks come first. Conventional devices and bridges to them never
        isolate. Ports need the capability with the required bits on, where a bit that
        is not implemented counts as on; a function that is alone in its slot has no
        peers.
        """
        answer = self._isolates.get(id(device))
        if answer is None:
            answer = self._isolates[id(device)] = device, self._of(device)
        return answer[1]

    def _of(self, device: Device) -> bool | None:
        quirk = self._quirk(device)
        if quirk is Quirk.ISOLATED:
            return True
        if quirk is Quirk.NOT_ISOLATED:
            return False
        by_registers = self._by_registers(device)
        if quirk is Quirk.NONE:
            return by_registers
        sure = quirk is Quirk.PERHAPS_ISOLATED and by_registers
        return True if sure else None

    def _quirk(self, device: Device) -> Quirk:
        return acs_quirk(
            device,
            on_root_bus=(
                self.topology.parent(device) is None if device.is_placed else None
            ),
            has_ivrs=self._has_ivrs,
            several=self.multifunction(device),
            asked=self._asked,
        )

    def _by_registers(self, device: Device) -> bool | None:
        kind = device.pci.pcie_type
        if not known(kind):
            return None
        if kind is None or kind in _CONVENTIONAL_BRIDGES:
            return False
        if kind not in (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM):
            several = self.multifunction(device)
            if several is None:
                return None
            if not several:
                return True
        acs = device.pci.acs
        if self._asked and (acs is not None or not known(acs)):
            return self._once_asked(device)
        if not known(acs):
            return None
        return acs is not None and self._has_required(device, acs)

    def _has_required(self, device: Device, acs: Acs) -> bool | None:
        release = value_or(self.machine.kernel.release, "")
        uncounted = uncounted_controls(device, release)
        if known(uncounted):
            return has_required(acs, uncounted)
        if has_required(acs):
            return True
        return None if has_required(acs, PCI_ACS_SV) else False

    def _once_asked(self, device: Device) -> bool | None:
        """Say whether ACS of a function is on once the kernel asked for it.

        Where others of the machine have it on and this one does not, somebody asked
        already, and something took it away here.
        """
        acs = device.pci.acs
        there = device.pci.acs_listed if not known(acs) else acs is not None
        if not known(there):
            return None
        if not there:
            return False
        if takes_acs_away(self.machine, device):
            return None
        if not known(acs) or acs is None or has_required(acs):
            return True
        if has_wide_controls(device):
            return True
        return None if self._anything_on else True

    @cached_property
    def _anything_on(self) -> bool:
        for device in self.machine.devices:
            acs = device.pci.acs
            if acs is not None and known(acs) and acs.control & REQUIRED_ACS:
                return True
        return False

    def multifunction(self, device: Device) -> bool | None:
        """Say whether the kernel takes a function for one of several.

        A function other than 0 is one of several whatever its header says, and a
        virtual function never is.
        """
        if device.pci.is_virtual:
            return False
        address = device.pci_address
        if address is not None and address.function > 0:
            return None if self._may_be_virtual(device) else True
        bit = device.pci.multifunction
        return bit if known(bit) else None

    def _may_be_virtual(self, device: Device) -> bool:
        """Say whether a function may be a virtual one of another that is shown.

        Words show the same of both; the numbers that place virtual functions tell.
        They are of one class (PCIe 6.0, 9.3.4.1.6), and never bridges.
        """
        if known(device.pci.physfn) or device.is_bridge is True:
            return False
        if device.pci.pcie_type is None:
            return False
        return any(
            other.pci.sriov is Missing.TRUNCATED
            and other is not device
            and other.base_class == device.base_class
            for other in (beside.device for beside in self.bus_of(device))
        )

    def path_isolates(self, bridges: list[Device]) -> bool | None:
        """Say whether every bridge of a path isolates (``pci_acs_path_enabled()``)."""
        answers = [self.isolates(bridge) for bridge in bridges]
        if False in answers:
            return False
        return None if None in answers else True

    @cached_property
    def _buses(self) -> dict[tuple[int, int], list[OnBus]]:
        found: dict[tuple[int, int], list[OnBus]] = {}
        for device, address in self.topology.addressed:
            number = address.slot << 3 | address.function
            on_bus = OnBus(device, number, alias_devfns(device))
            found.setdefault((address.domain, address.bus), []).append(on_bus)
        return found

    def bus_of(self, device: Device) -> list[OnBus]:
        """Return the functions of a function's bus, itself among them."""
        here = device.pci_address
        return [] if here is None else self._buses.get((here.domain, here.bus), [])

    def doubt(self, device: Device) -> Doubt:
        """Say what was not seen of a function of which it cannot be told."""
        name = device.address
        if not known(device.ids.vendor):
            return Doubt(
                device,
                Unseen.IDS if self._ids_would_do(device) else Unseen.ACS,
                f"the source does not show the vendor and device ids of {name}, and so "
                "not which quirks of the kernel apply to it",
            )
        kind: Fact[int | None] = device.pci.pcie_type
        sentence = f"whether {name} isolates cannot be told: "
        if not known(kind):
            why = why_unseen(self.machine, device)
            return Doubt(device, Unseen.KIND, sentence + why)
        if self._quirk(device) not in (Quirk.NONE, Quirk.PERHAPS_ISOLATED) or (
            self._by_registers(device) is not None
        ):
            return self._doubted_quirk(device, sentence)
        ports = (PciExpType.ROOT_PORT, PciExpType.DOWNSTREAM)
        if kind not in ports and self.multifunction(device) is None:
            if known(device.pci.acs) and device.pci.acs is None:
                what = (
                    f"the source does not show whether {name} says that it is one of "
                    "several functions"
                )
                return Doubt(device, Unseen.FUNCTIONS, what)
            what = f"the source does not show whether {name} is one of several "
            return Doubt(device, Unseen.ACS, what + "functions")
        if self._asked and device.pci.acs is not None and known(device.pci.acs):
            why = "its ACS is off while that of others is on"
            if takes_acs_away(self.machine, device):
                why = "an option of the command line may take its ACS away"
            return Doubt(device, Unseen.OPTIONS, sentence + why)
        return Doubt(device, Unseen.ACS, sentence + why_unseen(self.machine, device))

    def _doubted_quirk(self, device: Device, sentence: str) -> Doubt:
        if not known(device.ids.device):
            why = "the source does not show its device id, on which the kernel's "
            return Doubt(device, Unseen.IDS, f"{sentence}{why}quirks depend")
        acs = device.pci.acs
        if acs is not None and not known(acs):
            return Doubt(
                device, Unseen.ACS, sentence + why_unseen(self.machine, device)
            )
        if acs is not None:
            why = "its ACS controls are not where lspci reads them, and the source "
            return Doubt(device, Unseen.BYTES, f"{sentence}{why}holds no bytes of them")
        why = "the kernel may have isolated it by a quirk that registers do not show"
        return Doubt(device, Unseen.LOG, sentence + why)

    def _ids_would_do(self, device: Device) -> bool:
        """Say whether all but the ids is known that isolation hangs on."""
        kind = device.pci.pcie_type
        return known(kind) and self._by_registers(device) is not None


def _by_root_complex(machine: Machine) -> bool | None:
    """Say by its root complex whether the host's IOMMU would be one of AMD's."""
    for device in machine.devices:
        address = device.pci_address
        first = address is not None and (address.bus, address.slot) == (0, 0)
        if first and device.base_class == PCI_CLASS_BRIDGE_HOST:
            maker = device.ids.vendor
            return maker in AMD_LIKE if known(maker) else None
    return None


def same_slot(one: Device, other: Device) -> bool:
    """Say whether two functions have the same slot number (their buses not asked)."""
    first, second = devfn(one), devfn(other)
    return first is not None and second is not None and first >> 3 == second >> 3


def nowhere(device: Device) -> str:
    """Say that nothing shows what is above a function."""
    return f"the source does not show which bridges are above {device.address}"
