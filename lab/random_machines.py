"""Random machines, each from a seed.

The same seed gives the same machine on every run. What only tests the emulation, or
hangs every kernel by design, is not generated: a card is not plugged in behind a
conventional bridge or on a second root bus, and no NVMe drive meets an emulated AMD
IOMMU (its boot takes a minute longer).
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field, replace

from lab.machines import Device, Iommu, Machine, port
from lab.machines.parts import disk, down, sriov_disk, up

__all__ = ["random_machine"]

_MODERN = (
    "e1000e",
    "e1000e",
    "nec-usb-xhci",
    "qemu-xhci",
    "nvme",
    "ich9-intel-hda",
    "virtio-scsi-pci",
)
_OLD = ("e1000", "e1000", "AC97", "rtl8139")
_CARDS = ("e1000e", "nec-usb-xhci", "nvme")
_IOMMUS = (
    Iommu.INTEL,
    Iommu.INTEL,
    Iommu.INTEL,
    Iommu.INTEL_NO_REMAP,
    Iommu.AMD,
    Iommu.AMD,
    Iommu.AMD_NO_REMAP,
)
# Slots of the root bus: 0 and 0x1f are the board's, 0x1d and 0x1e the lab's.
_FIRST_SLOT, _LAST_SLOT = 2, 0x1A
_SMALLEST, _LARGEST = 3, 14


@dataclass
class _Builder:
    """Draws the devices of one machine, and stops when there are enough."""

    rng: random.Random
    wanted: int
    nvme: bool = True
    devices: list[Device] = field(default_factory=list)
    spare: list[Device] = field(default_factory=list)
    functions: int = 0
    slot: int = _FIRST_SLOT
    names: dict[str, int] = field(default_factory=dict)

    def name(self, stem: str) -> str:
        self.names[stem] = self.names.get(stem, 0) + 1
        return f"{stem}{self.names[stem]}"

    def add(self, device: Device) -> str:
        self.devices.append(device)
        if device.model != "nvme-subsys":
            self.functions += 1
        return device.name

    def room(self, needed: int = 1) -> bool:
        return self.functions + needed <= self.wanted

    def next_slot(self) -> int:
        self.slot += 1
        return self.slot - 1

    def chance(self, share: float) -> bool:
        return self.rng.random() < share

    def chassis(self) -> int:
        return len(self.devices) + 1

    def model(self, models: tuple[str, ...]) -> str:
        found = self.rng.choice(models)
        return found if self.nvme or found != "nvme" else "e1000e"

    def endpoint(self, bus: str | None, slot: str, more: str, old: bool) -> None:
        model = self.model(_OLD if old else _MODERN)
        name = self.name("card")
        if model == "nvme":
            given = ",".join(filter(None, (f"serial={name}", more)))
            self.add(Device(model, name, bus, slot, given))
        else:
            self.add(Device(model, name, bus, slot, more))

    def functions_of_slot(self, bus: str | None, slot: int, old: bool) -> None:
        """Fill one slot with one endpoint, or one with up to three functions."""
        count = self.rng.choice((1, 1, 1, 2, 2, 3))
        count = max(1, min(count, self.wanted - self.functions))
        for number in range(count):
            more = "multifunction=on" if count > 1 and not number else ""
            self.endpoint(bus, f"{slot:x}.{number}", more, old)

    def bridge(self, bus: str | None, slot: str | None, depth: int) -> None:
        """Add a conventional bridge with up to three slots behind it."""
        if bus is None:
            model, options = "i82801b11-bridge", ""
        else:
            model, options = "pcie-pci-bridge", ""
        name = self.add(Device(model, self.name("bridge"), bus, slot, options))
        self._behind(name, depth)

    def _behind(self, bridge: str, depth: int) -> None:
        for slot in range(1, self.rng.choice((1, 2, 3, 3)) + 1):
            if not self.room():
                return
            if depth < 2 and self.room(2) and self.chance(0.25):
                options = f"chassis_nr={100 + self.chassis()}"
                name = self.name("bridge")
                self.add(Device("pci-bridge", name, bridge, f"{slot:x}.0", options))
                self._behind(name, depth + 1)
            else:
                self.functions_of_slot(bridge, slot, old=True)

    def below(self, bus: str, depth: int, plug: bool) -> None:
        """Put something, or nothing, below a port."""
        kind = self.rng.choices(
            ("endpoint", "switch", "bridge", "empty", "drive"),
            (50, 12 if depth < 3 else 0, 13, 18, 7 if self.nvme else 0),
        )[0]
        if kind == "switch" and self.room(3):
            self.switch(bus, depth + 1, plug)
        elif kind == "bridge" and self.room(2):
            self.bridge(bus, None, 0)
        elif kind == "drive" and self.room():
            subsystem, drive = sriov_disk(self.name("drive"), bus)
            self.add(subsystem)
            self.add(drive)
        elif kind == "endpoint" and self.room():
            self.functions_of_slot(bus, 0, old=False)
        elif plug:
            self.spare_card(bus)

    def spare_card(self, bus: str) -> None:
        model, name = self.model(_CARDS), self.name("spare")
        made = disk(name, bus) if model == "nvme" else Device(model, name, bus)
        self.spare.append(made)

    def switch(self, bus: str, depth: int, plug: bool) -> None:
        name = self.add(up(self.name("up"), bus))
        count = self.rng.choice((1, 2, 2, 3))
        one_slot = count > 1 and self.chance(0.3)
        for number in range(count):
            if not self.room():
                return
            slot = f"0.{number}" if one_slot else f"{number:x}.0"
            more = "multifunction=on" if one_slot and not number else ""
            chassis = self.chassis()
            lower = self.add(down(self.name("down"), chassis, name, slot, more))
            self.below(lower, depth, plug)

    def ports(self, root: str | None, slot: int) -> None:
        """Add the ports of one slot, then what is below each."""
        count = min(self.rng.choice((1, 1, 1, 2, 2, 3, 4)), self.wanted)
        acs = [self.chance(0.65) for _ in range(count)]
        added = list[str]()
        for number in range(count):
            if not self.room():
                break
            more = "multifunction=on" if count > 1 and not number else ""
            place, chassis = f"{slot:x}.{number}", self.chassis()
            made = port(
                self.name("port"), chassis, place, acs=acs[number], options=more
            )
            added.append(self.add(replace(made, bus=root)))
        for name in added:
            self.below(name, 1, plug=root is None)

    def root(self) -> None:
        """Add something to the root bus."""
        kind = self.rng.choices(
            ("ports", "endpoint", "old", "bridge", "root"), (60, 18, 5, 10, 7)
        )[0]
        slot = self.next_slot()
        if kind == "endpoint":
            self.functions_of_slot(None, slot, old=False)
        elif kind == "old":
            self.functions_of_slot(None, slot, old=True)
        elif kind == "bridge" and self.room(2):
            self.bridge(None, f"{slot:x}.0", 0)
        elif kind == "root" and self.room(3) and "root" not in self.names:
            numbered = Device(
                "pxb-pcie", self.name("root"), None, f"{slot:x}.0", "bus_nr=128"
            )
            self.ports(self.add(numbered), 0)
        else:
            self.ports(None, slot)


def random_machine(seed: int) -> Machine:
    """Return the machine that belongs to ``seed``."""
    rng = random.Random(f"machine {seed}")
    iommu = rng.choice(_IOMMUS)
    nvme = iommu not in (Iommu.AMD, Iommu.AMD_NO_REMAP)
    builder = _Builder(rng, rng.randint(_SMALLEST, _LARGEST), nvme)
    while builder.room() and builder.slot <= _LAST_SLOT:
        builder.root()
    if not any(device.is_endpoint for device in builder.devices):
        builder.functions_of_slot(None, builder.next_slot(), old=False)
    return Machine(
        f"random-{seed}",
        f"{builder.functions} functions drawn from seed {seed}",
        tuple(builder.devices),
        iommu,
        spare=tuple(builder.spare),
    )
