"""One device: what it is on its bus, and who drives it."""

from __future__ import annotations

from itertools import pairwise

from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.regs import (
    PCI_CLASS_BRIDGE_CARDBUS,
    PCI_CLASS_BRIDGE_HOST,
    PCI_CLASS_BRIDGE_ISA,
    PCI_CLASS_BRIDGE_PCI,
    PCI_CLASS_BRIDGE_SEMI_TRANSPARENT,
    PCI_CLASS_SYSTEM_IOMMU,
    PCI_CLASS_SYSTEM_RCEC,
    PciHeaderType,
)

__all__ = ["Acs", "Device", "PciIds", "PciPlacement", "SrIov"]

_BRIDGES = (
    PCI_CLASS_BRIDGE_PCI,
    PCI_CLASS_BRIDGE_CARDBUS,
    PCI_CLASS_BRIDGE_SEMI_TRANSPARENT,
)
_CHIPSET = (
    PCI_CLASS_BRIDGE_HOST,
    PCI_CLASS_BRIDGE_ISA,
    PCI_CLASS_SYSTEM_IOMMU,
    PCI_CLASS_SYSTEM_RCEC,
)


@dataclass(frozen=True, slots=True)
class PciIds:
    """The identification registers of a PCI function; ``class_code`` is 24 bits.

    ``derived`` says that vendor and device follow from the name that a text has. They
    explain; nothing is asked of the kernel by them.
    """

    vendor: Fact[int] = Missing.ABSENT
    device: Fact[int] = Missing.ABSENT
    subsystem_vendor: Fact[int] = Missing.ABSENT
    subsystem_device: Fact[int] = Missing.ABSENT
    class_code: Fact[int] = Missing.ABSENT
    revision: Fact[int] = Missing.ABSENT
    derived: bool = False

    @property
    def pair(self) -> str | None:
        """Vendor and device, ``10de:1e04``; ``None`` where one of them is not shown."""
        if self.derived or not known(self.vendor) or not known(self.device):
            return None
        return f"{self.vendor:04x}:{self.device:04x}"


@dataclass(frozen=True, slots=True)
class Acs:
    """The ACS capability's two registers (PCIe 6.0, 7.7.11).

    ``wide_control`` is the word behind them, which is the control register of ports
    that have both as double words (Intel's 100 and 200 series).
    """

    capability: int
    control: int
    wide_control: int | None = None


@dataclass(frozen=True, slots=True)
class SrIov:
    """What the SR-IOV capability says of virtual functions (PCIe 6.0, 9.3.3).

    They are placed by ``first_offset`` and ``stride``; ``vf_device`` is their device
    id.
    """

    total_vfs: int
    first_offset: int
    stride: int
    vf_device: Fact[int] = Missing.ABSENT


@dataclass(frozen=True, slots=True)
class PciPlacement:
    """What the function is on its bus.

    ``header_type`` is a ``PciHeaderType``, without the multi-function bit.
    ``pcie_type`` is ``None`` for a function without the PCI Express capability; a type
    this program does not know stays a plain number. ``physfn`` and ``virtfns`` are the
    addresses the SR-IOV links point to: ``None`` and empty where there are none, and
    missing where one of them was not seen. ``acs`` and ``sriov`` are ``None`` where the
    function has no such capability; ``acs_listed`` says whether it has ACS also where
    the registers were not seen; ``hotplug_slot`` says whether the port has a slot
    that takes cards while the host runs. ``answers`` is false where all registers read
    as ones: the function fell off the bus, or has no power.
    """

    header_type: Fact[int] = Missing.ABSENT
    multifunction: Fact[bool] = Missing.ABSENT
    pcie_type: Fact[int | None] = Missing.ABSENT
    physfn: Fact[DeviceId | None] = Missing.ABSENT
    virtfns: Fact[tuple[DeviceId, ...]] = Missing.ABSENT
    acs: Fact[Acs | None] = Missing.ABSENT
    acs_listed: Fact[bool] = Missing.ABSENT
    sriov: Fact[SrIov | None] = Missing.ABSENT
    hotplug_slot: Fact[bool] = Missing.ABSENT
    secondary_bus: Fact[int] = Missing.ABSENT
    answers: Fact[bool] = Missing.ABSENT

    @property
    def is_virtual(self) -> bool:
        """Say whether a physical function is shown that it belongs to."""
        return value_or(self.physfn, None) is not None


@dataclass(frozen=True, slots=True)
class Device:
    """One device of the driver core, on any bus.

    ``driver`` is ``None`` when no driver is bound, and missing when the source
    cannot tell. ``group`` is ``None`` when the device has no IOMMU group.
    ``vfio_devices`` are the entries of its ``vfio-dev`` directory: a vfio driver
    of any name is bound when there is one (kernels since v6.1 have it); ``vfio_cdev``
    says whether the kernel made a character device for them. ``runtime_status`` is
    read only of a device in D3cold. ``removable`` is ``removable``, ``fixed`` or
    ``unknown``; for PCI it says ``removable`` of what is below an external port, such
    as Thunderbolt's.
    """

    id: DeviceId
    path: Fact[str] = Missing.ABSENT
    driver: Fact[str | None] = Missing.ABSENT
    group: Fact[str | None] = Missing.ABSENT
    iommu: Fact[str | None] = Missing.ABSENT
    ids: PciIds = PciIds()
    pci: PciPlacement = PciPlacement()
    vfio_devices: Fact[tuple[str, ...]] = ()
    driver_override: Fact[str | None] = Missing.ABSENT
    boot_vga: Fact[bool] = Missing.ABSENT
    power_state: Fact[str] = Missing.ABSENT
    reset_methods: Fact[tuple[str, ...]] = Missing.ABSENT
    numa_node: Fact[int | None] = Missing.ABSENT
    removable: Fact[str] = Missing.ABSENT
    runtime_status: Fact[str] = Missing.ABSENT
    vfio_cdev: Fact[bool] = Missing.ABSENT
    name: str | None = None
    vendor_name: str | None = None

    @property
    def address(self) -> str:
        """How the device is written: a PCI address in full, or its name."""
        return self.id.name

    @property
    def bus(self) -> Fact[str]:
        """The bus that the device is on."""
        return self.id.bus

    @property
    def is_pci(self) -> bool:
        """Say whether this is a PCI function."""
        return self.id.bus == "pci"

    @property
    def may_be_pci(self) -> bool:
        """Say whether this is a PCI function, or its bus is not told."""
        return self.is_pci or not known(self.bus)

    @property
    def pci_address(self) -> PciAddress | None:
        """The address of a PCI function, ``None`` for other devices."""
        return self.id.pci

    @property
    def is_placed(self) -> bool:
        """Say whether its path shows all that is above it.

        One in ``sys/bus`` does not: a link whose end was not captured, or a function
        below bridges that a text leaves out.
        """
        return known(self.path) and self.path.startswith("sys/devices/")

    @property
    def is_below_vmd(self) -> bool:
        """Say whether a Volume Management Device is above this function.

        Its domain then has a root of its own below a PCI function:
        ``pci0000:00/0000:00:0e.0/pci10000:e0/10000:e0:06.0``. Without the path the
        number tells: VMD counts from 0x10000 (drivers/pci/controller/vmd.c).
        """
        if not known(self.path) or not self.is_placed:
            address = self.pci_address
            return address is not None and address.domain >= 0x10000
        parts = self.path.split("/")
        return self.is_pci and any(
            below.startswith("pci") and PciAddress.parse(above) is not None
            for above, below in pairwise(parts)
        )

    @property
    def base_class(self) -> Fact[int]:
        """The upper 16 bits of the class code, ``0x0604`` for a PCI bridge."""
        code = self.ids.class_code
        return code >> 8 if known(code) else code

    @property
    def is_bridge(self) -> Fact[bool]:
        """Say whether the PCI header is that of a bridge (PCI or CardBus).

        Without configuration space the class stands in: the kernel gives the
        class "not defined" to a function whose header and class contradict each
        other in the way that matters here (``pci_setup_device()`` in
        drivers/pci/probe.c).
        """
        header = self.pci.header_type
        if known(header):
            return header in (PciHeaderType.BRIDGE, PciHeaderType.CARDBUS)
        if known(self.bus) and self.bus != "pci":
            return False
        base = self.base_class
        return base in _BRIDGES if known(base) else base

    @property
    def is_chipset(self) -> bool:
        """Say whether its class makes it a part of the chipset, which the host keeps.

        Host and ISA bridges, IOMMUs and event collectors are handed to nobody, though
        their headers are not those of bridges.
        """
        return self.base_class in _CHIPSET
