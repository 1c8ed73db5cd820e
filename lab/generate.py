"""Random machines and random steps over them, each from a seed.

The same seed gives the same machine and the same steps on every run.  Steps name
devices as the machine does; ``guest_commands`` turns one into commands of
``Guest.do`` and ``whatif`` into the syntax of ``iommu-inspect whatif``.

What only tests the emulation, or hangs every kernel by design, is not generated: a
card is not plugged in behind a conventional bridge or on a second root bus, no NVMe
drive meets an emulated AMD IOMMU (its boot takes a minute longer), and no device
leaves vfio-pci or the machine while a group is claimed (5.10 waits for the user to
let go).  A kernel driver that is bound while a group is claimed ends a sequence, as
it may end the kernel.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace

from lab.errors import LabError
from lab.machines import Device, Iommu, Machine, port
from lab.machines.parts import VIRTUAL, disk, down, sriov_disk, up

__all__ = [
    "CLASSES",
    "DRIVERS",
    "ENDPOINTS",
    "VERBS",
    "Step",
    "endpoints",
    "growing_steps",
    "guest_commands",
    "parse_step",
    "random_machine",
    "random_steps",
    "whatif",
]

# For each verb, is there a word after the device?
VERBS: dict[str, bool] = {
    "bind": True,
    "unbind": False,
    "override": True,
    "claim": False,
    "release": False,
    "attach": False,
    "detach": False,
    "hotplug": False,
    "unplug": False,
    "sriov": True,
}
# The drivers that bind to the models by themselves, and the class of each model.
DRIVERS = {
    "e1000e": "e1000e",
    "e1000": "e1000",
    "nec-usb-xhci": "xhci_hcd",
    "qemu-xhci": "xhci_hcd",
    "nvme": "nvme",
    "ich9-intel-hda": "snd_hda_intel",
    "AC97": "",
    "rtl8139": "",
    "virtio-scsi-pci": "virtio-pci",
}
CLASSES = {
    "e1000e": "0200",
    "e1000": "0200",
    "rtl8139": "0200",
    "nec-usb-xhci": "0c03",
    "qemu-xhci": "0c03",
    "nvme": "0108",
    "ich9-intel-hda": "0403",
    "AC97": "0401",
    "virtio-scsi-pci": "0100",
}
ENDPOINTS = tuple(DRIVERS)
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
_USER = ("vfio-pci", "vfio-pci", "vfio-pci", "pci-stub")
# Drivers that survive a domain of somebody else below them, as nothing is running.
_QUIET = frozenset({"", "pci-stub", "vfio-pci", "e1000", "e1000e"})
_IOMMUS = (
    Iommu.INTEL,
    Iommu.INTEL,
    Iommu.INTEL,
    Iommu.INTEL_NO_REMAP,
    Iommu.AMD,
    Iommu.AMD,
    Iommu.AMD_NO_REMAP,
)
# How much more often a step is about the favoured bus, and how often a sequence ends
# with a kernel driver beside a claimed device where it can.
_FAVOUR, _DARING = 4, 0.7
# Slots of the root bus: 0 and 0x1f are the board's, 0x1d and 0x1e the lab's.
_FIRST_SLOT, _LAST_SLOT = 2, 0x1A
_SMALLEST, _LARGEST = 3, 14


@dataclass(frozen=True)
class Step:
    """One step of a sequence: a verb, the device it is about, a further word.

    ``claim`` and ``release`` are about the group that holds the device, ``hotplug``
    about a spare device of the machine; ``NAME/N`` is virtual function N of NAME.
    """

    verb: str
    device: str
    argument: str = ""

    def __str__(self) -> str:
        tail = f",{self.argument}" if self.argument else ""
        return f"{self.verb}={self.device}{tail}"


def parse_step(text: str) -> Step:
    """Read what ``str(step)`` wrote."""
    verb, equals, rest = text.partition("=")
    device, comma, argument = rest.partition(",")
    if verb not in VERBS or not equals or not device:
        raise LabError(f"'{text}' is no step; verbs: {', '.join(VERBS)}")
    if VERBS[verb] != bool(comma and argument):
        raise LabError(f"'{text}': {verb} takes {1 + VERBS[verb]} words")
    return Step(verb, device, argument)


def guest_commands(step: Step) -> tuple[str, ...]:
    """Return the commands of ``Guest.do`` that take ``step``."""
    name, word = step.device, step.argument
    match step.verb:
        case "bind":
            return (f"override {name} {word}", f"bind {name} {word}")
        case "override":
            return (f"override {name} {word}",)
        case "claim":
            return (f"hold claim group:{name}",)
        case "release":
            return (f"release claim group:{name}",)
        case "attach":
            return (f"oracle attach {name}",)
        case "detach":
            return (f"oracle drop {name}",)
        case "hotplug":
            return (f"plug {name}",)
        case "sriov":
            return (f"autoprobe {name} 0", f"sriov {name} {word}")
        case verb:
            return (f"{verb} {name}",)


def whatif(step: Step, machine: Machine, resolve: Callable[[str], str]) -> str:
    """Return ``step`` as ``iommu-inspect whatif`` takes it.

    ``resolve`` is ``Guest.resolve``: it gives a name's address, and the number of
    the group for ``group:NAME``.
    """
    match step.verb:
        case "claim" | "release":
            return f"{step.verb}={resolve(f'group:{step.device}')}"
        case "hotplug":
            card = machine.device(step.device)
            words = [resolve(card.bus or "")]
            words += filter(None, (CLASSES.get(card.model), DRIVERS.get(card.model)))
            return f"hotplug={','.join(words)}"
        case verb:
            return str(Step(verb, resolve(step.device), step.argument))


def endpoints(machine: Machine) -> tuple[Device, ...]:
    """Return the devices of ``machine``, as booted, that a driver could use."""
    return tuple(device for device in machine.devices if device.model in DRIVERS)


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
    if not any(device.model in DRIVERS for device in builder.devices):
        builder.functions_of_slot(None, builder.next_slot(), old=False)
    return Machine(
        f"random-{seed}",
        f"{builder.functions} functions drawn from seed {seed}",
        tuple(builder.devices),
        iommu,
        spare=tuple(builder.spare),
    )


@dataclass
class _Walk:
    """What the steps so far have done, as far as the machine's description tells."""

    rng: random.Random
    machine: Machine
    drivers: dict[str, str]
    spare: dict[str, Device]
    claimed: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    overridden: dict[str, str] = field(default_factory=dict)
    plugged: set[str] = field(default_factory=set)
    vfs: dict[str, int] = field(default_factory=dict)
    over: bool = False

    def model(self, name: str) -> str:
        return self.machine.device(name.partition("/")[0]).model

    def place(self, name: str) -> tuple[str, str | None]:
        """Return a device's name and its bus; a virtual function has its parent's."""
        device = self.machine.device(name.partition("/")[0])
        return device.name, device.bus

    def candidates(self) -> Iterator[tuple[float, Step]]:
        """Yield the steps that make sense now, with their weights."""
        for name, driver in self.drivers.items():
            yield from self._binding(name, driver)
            yield from self._attaching(name, driver)
            if driver == "vfio-pci" and name not in self.claimed:
                yield 6, Step("claim", name)
            elif "vfio-pci" not in self.drivers.values():
                # Nothing makes a node for the group, so nothing is claimed.
                yield 0.2, Step("claim", name)
        for name in self.claimed:
            yield 4, Step("release", name)
        for name in self.spare:
            yield (0.5 if self.claimed else 8), Step("hotplug", name)
        for name in self.plugged:
            if not (self.claimed or self.attached):
                yield 8, Step("unplug", name)
        yield from self._virtual()

    def _binding(self, name: str, driver: str) -> Iterator[tuple[float, Step]]:
        if driver:
            # 5.10 waits for the user of the group; the others do not care.
            if driver != "vfio-pci" or not self.claimed:
                yield (0.8 if driver == "vfio-pci" else 1.7), Step("unbind", name)
            yield 0.2, Step("bind", name, self.rng.choice(_USER))
            return
        native = DRIVERS[self.model(name)]
        for user in dict.fromkeys(_USER):
            yield (8 if user == "vfio-pci" else 2), Step("bind", name, user)
        if native and "/" not in name:
            yield (3 if self.claimed else 1.5), Step("bind", name, native)
        yield 1, Step("override", name, self.rng.choice(_USER))

    def _attaching(self, name: str, driver: str) -> Iterator[tuple[float, Step]]:
        if name in self.attached:
            yield 5, Step("detach", name)
        elif driver in _QUIET and len(self.attached) < 2:
            yield 0.7, Step("attach", name)

    def _virtual(self) -> Iterator[tuple[float, Step]]:
        for name, driver in self.drivers.items():
            if "/" in name or driver != "nvme":
                continue
            if not self.machine.device(name).option("sriov_max_vfs"):
                continue
            if not self.vfs.get(name):
                count = self.rng.randint(1, VIRTUAL + 1)
                yield 12, Step("sriov", name, str(count))
            elif not (self.claimed or self.attached):
                yield 2, Step("sriov", name, "0")

    def take(self, step: Step) -> None:
        """Note what ``step`` does if nothing refuses it."""
        name, word = step.device, step.argument
        match step.verb:
            case "bind":
                self.overridden[name] = word
                native = word == DRIVERS[self.model(name)]
                self.over = native and bool(self.claimed)
                if not self.drivers[name]:
                    self.drivers[name] = word
            case "unbind":
                self.drivers[name] = ""
            case "claim" if self.drivers[name] == "vfio-pci":
                self.claimed.append(name)
            case "release":
                self.claimed.remove(name)
            case "attach":
                self.attached.append(name)
            case "detach":
                self.attached.remove(name)
            case "hotplug":
                card = self.spare.pop(name)
                self.drivers[name] = DRIVERS[card.model]
                self.plugged.add(name)
                self.over = bool(self.claimed)
            case "unplug":
                self.spare[name] = self.machine.device(name)
                self.plugged.discard(name)
                self.drivers.pop(name, None)
            case "sriov":
                self._virtual_functions(name, int(word))

    def _virtual_functions(self, name: str, count: int) -> None:
        if count > VIRTUAL:
            return
        self.vfs[name] = count
        for number in range(VIRTUAL):
            self.drivers.pop(f"{name}/{number}", None)
        for number in range(count):
            self.drivers[f"{name}/{number}"] = ""


def random_steps(machine: Machine, seed: int, count: int = 6) -> tuple[Step, ...]:
    """Return up to ``count`` steps over ``machine`` that belong to ``seed``.

    They favour the devices of one bus, so that groups of several get mixed.
    """
    rng = random.Random(f"steps {seed}")
    walk = _walk(machine, rng)
    favoured = rng.choice([device.bus or device.name for device in endpoints(machine)])
    steps = list[Step]()
    while len(steps) < count and not walk.over:
        last = _into_claimed(walk) if len(steps) == count - 1 else []
        if last and rng.random() < _DARING:
            step = rng.choice(last)
        else:
            weighed = list(walk.candidates())
            if not weighed:
                break
            weights = [
                weight * (_FAVOUR if favoured in walk.place(step.device) else 1)
                for weight, step in weighed
            ]
            step = rng.choices([step for _, step in weighed], weights)[0]
        walk.take(step)
        steps.append(step)
    return tuple(steps)


def growing_steps(machine: Machine, steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps that plug a card into every port left empty after ``steps``.

    Users let go first.  There are none after steps that may have ended the kernel.
    """
    walk = _walk(machine, random.Random(0))
    for step in steps:
        walk.take(step)
    if walk.over or not walk.spare:
        return ()
    return (
        *(Step("release", name) for name in walk.claimed),
        *(Step("detach", name) for name in walk.attached),
        *(Step("hotplug", name) for name in walk.spare),
    )


def _walk(machine: Machine, rng: random.Random) -> _Walk:
    drivers = {device.name: DRIVERS[device.model] for device in endpoints(machine)}
    spare = {device.name: device for device in machine.spare}
    return _Walk(rng, machine, drivers, spare)


def _into_claimed(walk: _Walk) -> list[Step]:
    """Return the steps that give a neighbour of a claimed device to the kernel."""
    return [
        Step("bind", name, DRIVERS[walk.model(name)])
        for name, driver in walk.drivers.items()
        if not driver and "/" not in name and DRIVERS[walk.model(name)]
        if walk.place(name)[1] in {walk.place(other)[1] for other in walk.claimed}
    ]
