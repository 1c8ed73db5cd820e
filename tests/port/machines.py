"""Random machines, as the port and as the program see them: all facts are known."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, field

from port.quirks import ALIAS_IDS, BRIDGE_IDS, QUIRK_IDS
from port.source import (
    ACS,
    DOWNSTREAM,
    EC,
    ENDPOINT,
    LEG_END,
    PCI_BRIDGE,
    PCIE_BRIDGE,
    RC_EC,
    RC_END,
    REQ_ACS_FLAGS,
    ROOT_PORT,
    UPSTREAM,
    Bus,
    Dev,
)

from iommu_inspect.model.device import Acs, Device, PciIds, PciPlacement
from iommu_inspect.model.group import Group
from iommu_inspect.model.host.kernel import Kernel
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine, Source

__all__ = ["Built", "build", "seen_by_the_program"]

_DEEPEST = 5
_MOST = 60
_PLAIN = (0x1B36, 0x0010)
_BELOW = {
    "root": (
        *(RC_END, RC_END, ROOT_PORT, ROOT_PORT, ROOT_PORT, None, "bridge", RC_EC),
        *(PCI_BRIDGE, PCIE_BRIDGE),
    ),
    ROOT_PORT: (ENDPOINT, ENDPOINT, LEG_END, UPSTREAM, PCI_BRIDGE),
    DOWNSTREAM: (ENDPOINT, ENDPOINT, LEG_END, UPSTREAM, PCI_BRIDGE),
    UPSTREAM: (DOWNSTREAM,),
    PCIE_BRIDGE: (ENDPOINT, LEG_END, UPSTREAM),
    PCI_BRIDGE: (None, None, "bridge", PCIE_BRIDGE),
    "bridge": (None, None, "bridge", PCIE_BRIDGE),
}
"""What can be on a bus, by the type of the bridge above it; ``None``: conventional."""
_BRIDGES = (ROOT_PORT, UPSTREAM, DOWNSTREAM, PCI_BRIDGE, PCIE_BRIDGE, "bridge")


@dataclass
class Built:
    """One machine of the port's, and where each function is in sysfs."""

    ivrs: bool
    devs: list[Dev] = field(default_factory=list)
    paths: dict[int, str] = field(default_factory=dict)
    below: set[int] = field(default_factory=set)
    physical: dict[int, Dev] = field(default_factory=dict)

    def path(self, dev: Dev) -> str:
        return self.paths[id(dev)]


class _Builder:
    def __init__(self, dice: random.Random) -> None:
        self.dice = dice
        self.built = Built(ivrs=dice.random() < 0.4)
        self.buses = 0
        self.virtual: list[tuple[Dev, Bus]] = []

    def fill(self, bus: Bus, kind: object, above: str, depth: int) -> None:
        """Put functions on a bus, and then what is below its bridges."""
        dice = self.dice
        single = kind in (ROOT_PORT, DOWNSTREAM, PCIE_BRIDGE)
        count = 1 if single else dice.randint(1, 4)
        bridges = []
        for slot in sorted(dice.sample(range(1, 32), count)) if not single else [0]:
            for dev, what in self.slot(bus, kind, slot, above):
                more = depth < _DEEPEST and len(self.built.devs) < _MOST
                if what in _BRIDGES and more:
                    bridges.append((dev, what))
        for dev, what in bridges:
            if dice.random() < 0.85:
                self.buses += 1
                self.built.below.add(id(dev))
                below = Bus(self.buses, dev, bus)
                self.fill(below, what, self.built.path(dev), depth + 1)

    def slot(
        self, bus: Bus, kind: object, slot: int, above: str
    ) -> Iterator[tuple[Dev, object]]:
        """Add the functions of one slot; the first is 0, others have gaps."""
        dice = self.dice
        functions = [0]
        if dice.random() < 0.45:
            functions += sorted(dice.sample(range(1, 8), dice.randint(1, 4)))
        several = len(functions) > 1 or dice.random() < 0.1
        ids = self.ids(None)
        for function in functions:
            what = dice.choice(_BELOW["root" if bus.parent is None else kind])
            header = several if function == 0 else dice.random() < 0.5
            dev = self.function(bus, slot << 3 | function, what, header)
            dev.vendor, dev.device = ids if dice.random() < 0.5 else self.ids(what)
            name = f"0000:{bus.number:02x}:{slot:02x}.{function}"
            self.add(dev, f"{above}/{name}")
            yield dev, what
            if what == ENDPOINT and dice.random() < 0.2:
                self.virtual.append((dev, bus))

    def ids(self, what: object) -> tuple[int, int]:
        """Choose ids: of bridges half of the time those of rules about bridges."""
        dice = self.dice
        if dice.random() > 0.4:
            return _PLAIN
        few = BRIDGE_IDS if what in _BRIDGES else ALIAS_IDS
        return dice.choice(few if dice.random() < 0.5 else QUIRK_IDS)

    def function(self, bus: Bus, devfn: int, what: object, header: bool) -> Dev:
        dice = self.dice
        kind = what if isinstance(what, int) else None
        dev = Dev(bus, devfn, pcie_type=kind, header_multifunction=header)
        dev.ivrs = self.built.ivrs
        adaptec = dice.random() < 0.5
        dev.subsystem_vendor = 0x9005 if adaptec else 0x1AF4
        dev.subsystem_device = dice.choice((0x02BB, 0x02BC, 0x1100))
        dev.acs_cap = kind is not None and dice.random() < 0.8
        if dev.acs_cap:
            dev.acs_capabilities = sum(bit for bit in ACS if dice.random() < 0.8)
            dev.acs_ctrl = dev.acs_capabilities & ~EC
            if dice.random() < 0.25:
                dev.acs_ctrl &= ~dice.choice([b for b in ACS if b & REQ_ACS_FLAGS])
        return dev

    def add(self, dev: Dev, path: str) -> None:
        self.built.devs.append(dev)
        self.built.paths[id(dev)] = path

    def functions_of_sriov(self) -> None:
        """Virtual functions come last: on their function's bus, or on one without."""
        for physical, bus in self.virtual:
            path = self.built.path(physical).rpartition("/")[0]
            count, beyond = self.dice.randint(1, 3), self.dice.random() < 0.3
            where = bus
            if beyond:
                self.buses += 1
                where = Bus(self.buses, None, bus)
            taken = {d.devfn for d in self.built.devs if d.bus is where}
            free = [n for n in range(8, 256) if n not in taken]
            for devfn in sorted(self.dice.sample(free, count)):
                dev = Dev(where, devfn, pcie_type=ENDPOINT, is_virtfn=True)
                dev.vendor, dev.device = physical.vendor, physical.device
                dev.ivrs = self.built.ivrs
                dev.acs_cap = self.dice.random() < 0.3
                self.built.physical[id(dev)] = physical
                name = f"0000:{where.number:02x}:{devfn >> 3:02x}.{devfn & 7}"
                self.add(dev, f"{path}/{name}")


def build(dice: random.Random) -> Built:
    """Make a machine of one or two root buses."""
    builder = _Builder(dice)
    for _ in range(dice.choice((1, 1, 2))):
        if builder.built.devs:
            builder.buses += 1
        root = f"sys/devices/pci0000:{builder.buses:02x}"
        builder.fill(Bus(builder.buses), "root", root, 0)
    builder.functions_of_sriov()
    return builder.built


def seen_by_the_program(built: Built, release: str = "7.3.4") -> Machine:
    """Return the same machine with one group for all: what it is held against."""
    ids = {id(d): _id_of(built.path(d)) for d in built.devs}
    virtuals: dict[int, list[DeviceId]] = {}
    for dev in built.devs:
        physical = built.physical.get(id(dev))
        if physical is not None:
            virtuals.setdefault(id(physical), []).append(ids[id(dev)])
    devices = []
    for dev in built.devs:
        physical = built.physical.get(id(dev))
        placed = PciPlacement(
            header_type=1 if _is_bridge(built, dev) else 0,
            multifunction=dev.header_multifunction,
            pcie_type=dev.pcie_type,
            physfn=None if physical is None else ids[id(physical)],
            virtfns=tuple(virtuals.get(id(dev), ())),
            acs=Acs(dev.acs_capabilities, dev.acs_ctrl) if dev.acs_cap else None,
            sriov=None,
            hotplug_slot=False,
            answers=True,
        )
        devices.append(
            Device(
                ids[id(dev)],
                path=built.path(dev),
                driver=None,
                group="0",
                ids=_ids(built, dev),
                pci=placed,
                vfio_devices=(),
            )
        )
    return Machine(
        source=Source("tree", "a random machine"),
        kernel=Kernel(release=release, command_line="quiet"),
        groups=(Group("0", tuple(devices)),),
        firmware_tables=("IVRS",) if built.ivrs else ("DMAR",),
    )


def _id_of(path: str) -> DeviceId:
    return DeviceId(path.rpartition("/")[2], "pci")


def _is_bridge(built: Built, dev: Dev) -> bool:
    return dev.pcie_type in _BRIDGES or id(dev) in built.below


def _ids(built: Built, dev: Dev) -> PciIds:
    class_code = 0x060400 if _is_bridge(built, dev) else 0x020000
    return PciIds(
        dev.vendor, dev.device, dev.subsystem_vendor, dev.subsystem_device, class_code
    )
