"""One host as the kernel describes it: devices, groups, IOMMU units, settings."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property
from itertools import pairwise

from iommu_inspect.model.address import PciAddress
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.host import Host
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci_regs import (
    PCI_CLASS_BRIDGE_CARDBUS,
    PCI_CLASS_BRIDGE_HOST,
    PCI_CLASS_BRIDGE_ISA,
    PCI_CLASS_BRIDGE_PCI,
    PCI_CLASS_BRIDGE_SEMI_TRANSPARENT,
    PCI_CLASS_SYSTEM_IOMMU,
    PCI_CLASS_SYSTEM_RCEC,
    PciHeaderType,
)
from iommu_inspect.model.settings import Settings

__all__ = [
    "Acs",
    "Device",
    "Family",
    "Group",
    "Held",
    "InterruptRemapping",
    "IommuUnit",
    "Kernel",
    "Machine",
    "NodeAccess",
    "PciIds",
    "PciPlacement",
    "ReservedRegion",
    "Source",
    "SrIov",
    "VfioSettings",
]


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


class InterruptRemapping(enum.Enum):
    """Whether the names of interrupt chips show isolated (remapped) MSIs."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class Source:
    """Where the facts come from: ``live``, ``tree``, ... and the path as given."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True)
class PciIds:
    """The identification registers of a PCI function; ``class_code`` is 24 bits."""

    vendor: Fact[int] = Missing.ABSENT
    device: Fact[int] = Missing.ABSENT
    subsystem_vendor: Fact[int] = Missing.ABSENT
    subsystem_device: Fact[int] = Missing.ABSENT
    class_code: Fact[int] = Missing.ABSENT
    revision: Fact[int] = Missing.ABSENT

    @property
    def pair(self) -> str | None:
        """Vendor and device, ``10de:1e04``; ``None`` where one of them is not known."""
        if not known(self.vendor) or not known(self.device):
            return None
        return f"{self.vendor:04x}:{self.device:04x}"


class Held(enum.Enum):
    """Who holds a group at this moment.

    A source never shows it: a group that was read is ``FREE`` as far as anybody
    knows. Hypothetical steps hold groups.
    """

    FREE = "free"
    BY_USER = "user"
    BY_KERNEL_DOMAIN = "kernel-domain"


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
    function has no such capability; ``hotplug_slot`` says whether the port has a slot
    that takes cards while the host runs.
    """

    header_type: Fact[int] = Missing.ABSENT
    multifunction: Fact[bool] = Missing.ABSENT
    pcie_type: Fact[int | None] = Missing.ABSENT
    physfn: Fact[DeviceId | None] = Missing.ABSENT
    virtfns: Fact[tuple[DeviceId, ...]] = Missing.ABSENT
    acs: Fact[Acs | None] = Missing.ABSENT
    sriov: Fact[SrIov | None] = Missing.ABSENT
    hotplug_slot: Fact[bool] = Missing.ABSENT
    secondary_bus: Fact[int] = Missing.ABSENT

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


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A physical function and its virtual ones, as the links of either end show them.

    The virtual ones are in the machine's order.
    """

    physical: Device
    virtual: tuple[Device, ...]


@dataclass(frozen=True, slots=True)
class ReservedRegion:
    """One line of ``reserved_regions``: bytes ``start`` to ``end``, inclusive."""

    start: int
    end: int
    kind: str


@dataclass(frozen=True, slots=True)
class NodeAccess:
    """Who may open a device node: permission bits, and owners by number."""

    mode: int
    user: int
    group: int


@dataclass(frozen=True, slots=True)
class Group:
    """One IOMMU group. ``id`` is a name made of digits; ids have gaps.

    ``type`` is that of the *default* domain, not of the current one: it says
    nothing about who owns the group now. ``whole`` is false where the source does not
    show all members, or contradicts itself about them. ``node`` is ``/dev/vfio/ID``,
    which is looked at and never opened.
    """

    id: str
    devices: tuple[Device, ...]
    type: Fact[str] = Missing.ABSENT
    name: Fact[str] = Missing.ABSENT
    reserved_regions: Fact[tuple[ReservedRegion, ...]] = Missing.ABSENT
    held: Held = Held.FREE
    whole: bool = True
    node: Fact[NodeAccess] = Missing.ABSENT

    @property
    def is_noiommu(self) -> Fact[bool]:
        """Say whether vfio made this group up in its no-IOMMU mode.

        It names such a group (``vfio_noiommu_group_alloc()``); other groups seldom
        have a name at all. Mediated devices use the same allocation, so a group
        whose members are all on the mdev bus is not one.
        """
        if not known(self.name):
            return False if self.name is Missing.ABSENT else self.name
        return self.name == "vfio-noiommu" and not all(
            device.bus == "mdev" for device in self.devices
        )


@dataclass(frozen=True, slots=True)
class IommuUnit:
    """One entry of ``/sys/class/iommu``, such as ``dmar0``.

    ``capability`` is the capability register of a VT-d unit (VT-d 5.0, 11.4.2); units
    of other makers show none.
    """

    name: str
    driver: Fact[str] = Missing.ABSENT
    capability: Fact[int] = Missing.ABSENT

    @property
    def address_width(self) -> Fact[int]:
        """The bits of the addresses that a VT-d unit translates.

        The lesser of what it can (MGAW) and what its deepest page table reaches
        (SAGAW: bit 1 three levels, bit 2 four, bit 3 five).
        """
        if not known(self.capability):
            return self.capability
        widest = (self.capability >> 16 & 0x3F) + 1
        tables = [30 + 9 * bit for bit in (1, 2, 3) if self.capability >> 8 + bit & 1]
        return min(widest, max(tables)) if tables else Missing.UNREADABLE


@dataclass(frozen=True, slots=True)
class VfioSettings:
    """What of vfio's modules changes an answer.

    The parameters are absent when their module is not loaded. ``type1_loaded``
    is missing where the source shows no modules at all.
    """

    enable_unsafe_noiommu_mode: Fact[bool] = Missing.ABSENT
    type1_allow_unsafe_interrupts: Fact[bool] = Missing.ABSENT
    iommufd_allow_unsafe_interrupts: Fact[bool] = Missing.ABSENT
    type1_loaded: Fact[bool] = Missing.ABSENT


@dataclass(frozen=True, slots=True)
class Kernel:
    """The kernel behind the facts.

    ``features`` names what was seen to exist (``vfio-dev``, ``iommufd``,
    ``reserved-regions``, ...): presence counts before version numbers, because
    distributions backport.
    """

    release: Fact[str] = Missing.ABSENT
    command_line: Fact[str] = Missing.ABSENT
    features: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Machine:
    """Everything that one source says about one host; sorted, immutable.

    ``groups_known`` is false where the source holds no trace of IOMMU groups and
    so cannot tell "there are none" from "they were not captured".
    ``firmware_tables`` are the ACPI tables that describe IOMMUs and were found.
    ``guest`` says whether the host runs on a hypervisor. ``host`` is what the host
    itself uses its devices for. ``cpu_address_bits`` is the width of the processor's
    physical addresses. ``memlock_limit`` is how many bytes the process that read the
    source may lock, ``None`` where nothing limits it.
    """

    source: Source
    kernel: Kernel = Kernel()
    groups: tuple[Group, ...] = ()
    ungrouped: tuple[Device, ...] = ()
    groups_known: bool = True
    iommus: Fact[tuple[IommuUnit, ...]] = Missing.ABSENT
    firmware_tables: Fact[tuple[str, ...]] = Missing.ABSENT
    guest: Fact[bool] = Missing.ABSENT
    cpu_address_bits: Fact[int] = Missing.ABSENT
    memlock_limit: Fact[int | None] = Missing.ABSENT
    interrupt_remapping: Fact[InterruptRemapping] = Missing.ABSENT
    vfio: VfioSettings = VfioSettings()
    settings: Settings = field(default_factory=Settings)
    host: Host = field(default_factory=Host)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def devices(self) -> Iterator[Device]:
        """Every device, grouped ones first, in the machine's order."""
        for group in self.groups:
            yield from group.devices
        yield from self.ungrouped

    @cached_property
    def _group_by_id(self) -> dict[str, Group]:
        return {group.id: group for group in self.groups}

    def group(self, group_id: str) -> Group | None:
        """Return the group of this id, ``None`` if there is none."""
        return self._group_by_id.get(group_id)

    @cached_property
    def _group_by_member(self) -> dict[DeviceId, Group]:
        return {d.id: group for group in self.groups for d in group.devices}

    def group_of(self, device: Device) -> Group | None:
        """Return the group that holds the device, ``None`` if none does."""
        return self._group_by_member.get(device.id)

    @cached_property
    def _device_by_id(self) -> dict[DeviceId, Device]:
        return {device.id: device for device in self.devices}

    def device(self, device_id: DeviceId) -> Device | None:
        """Return the device of this identity, ``None`` if there is none."""
        return self._device_by_id.get(device_id)

    @cached_property
    def _families(self) -> dict[DeviceId, Family]:
        functions = {d.id: d for d in self.devices if d.is_pci}
        members: dict[DeviceId, set[DeviceId]] = {}
        for device in functions.values():
            if there := functions.keys() & value_or(device.pci.virtfns, ()):
                members.setdefault(device.id, set()).update(there)
        for device in functions.values():
            owner = value_or(device.pci.physfn, None)
            # The other end's links count where the owner's own could not be seen.
            if owner in members or (
                owner in functions and not known(functions[owner].pci.virtfns)
            ):
                members.setdefault(owner, set()).add(device.id)
        rank = {each: rank for rank, each in enumerate(functions)}
        found: dict[DeviceId, Family] = {}
        for owner, ids in members.items():
            virtual = tuple(functions[n] for n in sorted(ids, key=rank.__getitem__))
            family = Family(functions[owner], virtual)
            found |= dict.fromkeys((owner, *ids), family)
        return found

    def family(self, function: Device) -> Family | None:
        """Return whose physical or virtual function this is, ``None`` if it is neither.

        A physical function none of whose virtual ones is there has no family.
        """
        return self._families.get(function.id)
