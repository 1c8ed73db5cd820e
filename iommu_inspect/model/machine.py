"""One host as the kernel describes it: devices, groups, IOMMU units, settings."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import field, replace
from functools import cached_property

from iommu_inspect.model.aftermath import Aftermath
from iommu_inspect.model.dataclass import dataclass
from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing, known, value_or
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.iommu import InterruptRemapping, IommuUnit
from iommu_inspect.model.host.kernel import (
    NO_VFIO_GROUP,
    VFIO_GROUP,
    Kernel,
    VfioSettings,
)
from iommu_inspect.model.host.platform import Architecture, Processor, XenRole
from iommu_inspect.model.host.settings import Settings
from iommu_inspect.model.host.system import System
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.pci.address import PciAddress
from iommu_inspect.model.pci.bar import Bar
from iommu_inspect.model.pci.place import Place
from iommu_inspect.model.uses.host import Host

__all__ = [
    "Family",
    "Machine",
    "Source",
]


@dataclass(frozen=True, slots=True)
class Source:
    """Where the facts come from: ``live``, ``tree``, ... and the path as given.

    ``option`` are the words by which a command line names it, none for the live host.
    ``parts`` are the kinds of what was found in texts (``lspci``, ``listing``,
    ``dmesg``, ...).
    """

    kind: str
    name: str
    parts: tuple[str, ...] = ()
    option: tuple[str, ...] = field(default=(), compare=False)


@dataclass(frozen=True, slots=True, eq=False)
class Family:
    """A physical function and its virtual ones, as the links of either end show them.

    The virtual ones are in the machine's order.
    """

    physical: Device
    virtual: tuple[Device, ...]


@dataclass(frozen=True)
class Machine:
    """Everything that one source says about one host; sorted, immutable.

    ``groups_known`` is false where the source holds no trace of IOMMU groups and
    so cannot tell "there are none" from "they were not captured".
    ``all_functions`` is false where it seems to leave PCI functions of the host out;
    ``unlisted`` are the buses whose devices the source could not list, and why.
    ``firmware_tables`` are the ACPI tables that describe IOMMUs and were found.
    ``iort_nodes`` are the types of the nodes in Arm's IORT (``IortNode``), as numbers.
    ``guest`` says whether the host runs on a hypervisor; ``xen`` what it is to Xen,
    ``None`` where it does not run on it. ``host`` is what the host itself uses its
    devices for, ``system`` how it boots. ``cpu_address_bits`` is the width of the
    processor's physical addresses. ``memlock_limit`` is how many bytes the process that
    read the source may lock, ``None`` where nothing limits it. ``bars`` are
    read only for who asks for them, and so are ``places``. ``aftermath`` is what
    hypothetical steps have left that no file shows.
    """

    source: Source
    kernel: Kernel = field(default_factory=Kernel)
    groups: tuple[Group, ...] = ()
    ungrouped: tuple[Device, ...] = ()
    groups_known: bool = True
    all_functions: bool = True
    unlisted: tuple[tuple[str, Missing], ...] = ()
    iommus: Fact[tuple[IommuUnit, ...]] = Missing.ABSENT
    firmware_tables: Fact[tuple[str, ...]] = Missing.ABSENT
    iort_nodes: Fact[tuple[int, ...]] = Missing.ABSENT
    processor: Fact[Processor] = Missing.ABSENT
    xen: Fact[XenRole | None] = Missing.ABSENT
    guest: Fact[bool] = Missing.ABSENT
    cpu_address_bits: Fact[int] = Missing.ABSENT
    memlock_limit: Fact[int | None] = Missing.ABSENT
    interrupt_remapping: Fact[InterruptRemapping] = Missing.ABSENT
    vfio: VfioSettings = field(default_factory=VfioSettings)
    settings: Settings = field(default_factory=Settings)
    host: Host = field(default_factory=Host)
    system: System = field(default_factory=System)
    aftermath: Aftermath = field(default_factory=Aftermath)
    bars: tuple[tuple[DeviceId, tuple[Bar, ...]], ...] = field(
        default=(), compare=False
    )
    places: tuple[tuple[DeviceId, Place], ...] = field(default=(), compare=False)
    notes: tuple[str, ...] = field(default=(), compare=False)

    @property
    def architecture(self) -> Architecture | None:
        """The processor's, ``None`` where it is not told."""
        return self.processor.architecture if known(self.processor) else None

    @property
    def devices(self) -> Iterator[Device]:
        """Every device, grouped ones first, in the machine's order."""
        for group in self.groups:
            yield from group.devices
        yield from self.ungrouped

    @cached_property
    def vfio_nodes(self) -> bool | None:
        """Say whether VFIO has nodes of devices; ``None`` where that is not told.

        A kernel makes them of all its devices, or of none; one without those of groups
        has them (drivers/vfio/Kconfig: VFIO_GROUP or VFIO_DEVICE_CDEV).
        """
        if NO_VFIO_GROUP in self.kernel.features:
            return True
        told = {d.vfio_cdev for d in self.devices if known(d.vfio_cdev)}
        return told.pop() is True if len(told) == 1 else None

    @cached_property
    def vfio_groups(self) -> bool | None:
        """Say whether VFIO has nodes of groups; ``None`` where that is not told.

        Only a kernel with nodes of devices can be without them.
        """
        if VFIO_GROUP in self.kernel.features:
            return True
        if NO_VFIO_GROUP in self.kernel.features:
            return False
        return None if any(d.vfio_cdev is True for d in self.devices) else True

    @cached_property
    def _rank_of_group(self) -> dict[str, int]:
        return {group.id: rank for rank, group in enumerate(self.groups)}

    def group(self, group_id: str) -> Group | None:
        """Return the group of this id, ``None`` if there is none."""
        rank = self._rank_of_group.get(group_id)
        return None if rank is None else self.groups[rank]

    @cached_property
    def _place_of_member(self) -> dict[DeviceId, tuple[str, int]]:
        return {
            device.id: (group.id, rank)
            for group in self.groups
            for rank, device in enumerate(group.devices)
        }

    def group_of(self, device: Device) -> Group | None:
        """Return the group that holds the device, ``None`` if none does."""
        place = self._place_of_member.get(device.id)
        return None if place is None else self.group(place[0])

    @cached_property
    def _device_by_id(self) -> dict[DeviceId, Device]:
        return {device.id: device for device in self.devices}

    def device(self, device_id: DeviceId) -> Device | None:
        """Return the device of this identity, ``None`` if there is none."""
        return self._device_by_id.get(device_id)

    @cached_property
    def _by_address(self) -> dict[str, tuple[DeviceId, ...]]:
        found: dict[str, tuple[DeviceId, ...]] = {}
        for device in self._device_by_id.values():
            found[device.address] = (*found.get(device.address, ()), device.id)
        return found

    def called(self, address: str) -> tuple[Device, ...]:
        """Return the devices that have this address, one of each bus at most."""
        names = self._by_address.get(address, ())
        return tuple(self._device_by_id[name] for name in names)

    @cached_property
    def _by_path(self) -> dict[str, list[DeviceId]]:
        found: dict[str, list[DeviceId]] = {}
        for device in self.devices:
            above = value_or(device.path, "").rpartition("/")[0]
            while above:
                found.setdefault(above, []).append(device.id)
                above = above.rpartition("/")[0]
        return found

    @cached_property
    def _by_slot(self) -> dict[str, tuple[DeviceId, ...]]:
        found: dict[str, list[DeviceId]] = {}
        for device in self._device_by_id.values():
            if address := device.pci_address:
                found.setdefault(address.slot_name, []).append(device.id)
        return {slot: tuple(there) for slot, there in found.items()}

    def in_slot(self, address: PciAddress) -> tuple[Device, ...]:
        """Return the functions of the slot of an address, in the machine's order."""
        names = self._by_slot.get(address.slot_name, ())
        return tuple(self._device_by_id[name] for name in names)

    @cached_property
    def _named_buses(self) -> frozenset[tuple[int, int]]:
        return frozenset(
            (address.domain, device.pci.secondary_bus)
            for device in self.devices
            if (address := device.pci_address) and known(device.pci.secondary_bus)
        )

    def names_bus(self, address: PciAddress) -> bool:
        """Say whether a bridge names the bus of an address as the one behind it."""
        return (address.domain, address.bus) in self._named_buses

    @cached_property
    def _at_path(self) -> dict[str, DeviceId]:
        every = reversed([(d.path, d.id) for d in self.devices])
        return {path: name for path, name in every if known(path)}

    def at(self, path: str) -> Device | None:
        """Return the device whose directory is ``path``, ``None`` if there is none."""
        name = self._at_path.get(path)
        return None if name is None else self.device(name)

    def inside(self, device: Device) -> tuple[Device, ...]:
        """Return all devices below one in sysfs, at any depth, in their order."""
        if not known(device.path):
            return ()
        names = self._by_path.get(device.path, ())
        return tuple(self._device_by_id[name] for name in names)

    def with_device(self, old: Device, new: Device) -> Machine:
        """Return the machine with one device replaced by another state of it.

        Where devices are does not change by that, and is not looked for again.
        """
        if self._device_by_id.get(old.id) is not old:
            return self._with_another(old, new)
        group = self.group_of(old)
        if group is None:
            some = tuple(new if each is old else each for each in self.ungrouped)
            after = replace(self, ungrouped=some)
        else:
            members, groups = list(group.devices), list(self.groups)
            members[self._place_of_member[old.id][1]] = new
            rank = self._rank_of_group[group.id]
            groups[rank] = replace(group, devices=tuple(members))
            after = replace(self, groups=tuple(groups))
        if (old.id, old.path) == (new.id, new.path):
            for name in (
                "_rank_of_group",
                "_place_of_member",
                "_by_address",
                "_by_path",
                "_by_slot",
                "_at_path",
            ):
                if name in self.__dict__:
                    after.__dict__[name] = self.__dict__[name]
            after.__dict__["_device_by_id"] = {**self._device_by_id, new.id: new}
        return after

    def _with_another(self, old: Device, new: Device) -> Machine:
        """Replace a device of which the source shows a second one by the same name."""

        def swap(devices: tuple[Device, ...]) -> tuple[Device, ...]:
            return tuple(new if each is old else each for each in devices)

        return replace(
            self,
            groups=tuple(replace(g, devices=swap(g.devices)) for g in self.groups),
            ungrouped=swap(self.ungrouped),
        )

    def bars_of(self, device: Device) -> tuple[Bar, ...]:
        """Return the registers of a function, empty where they were not read."""
        return self._bars_by_id.get(device.id, ())

    def place_of(self, device: Device) -> Place:
        """Return where a function is, as far as that was read."""
        return self._places_by_id.get(device.id, Place())

    @cached_property
    def _places_by_id(self) -> dict[DeviceId, Place]:
        return dict(self.places)

    @cached_property
    def _bars_by_id(self) -> dict[DeviceId, tuple[Bar, ...]]:
        return dict(reversed(self.bars))

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
