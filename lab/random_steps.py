"""Random steps over a machine, from a seed.

The same seed gives the same steps on every run. They do what a person can do, whatever
sense it makes: let go of what user space has, pull it out, claim it twice, make virtual
functions with a driver that makes none. A step that blocks ends a sequence where it is
taken (5.10 waits for the user to let go); a driver of the host that is bound while a
group is claimed ends it here, as it may end the kernel.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from iommu_inspect.kernel.steps.step import DOMAIN_TYPES
from lab.machines import Device, Machine
from lab.machines.parts import VIRTUAL
from lab.steps import Step, Verb

__all__ = ["growing_steps", "random_steps"]

_USER = ("vfio-pci", "vfio-pci", "vfio-pci", "pci-stub")
# Drivers that survive a domain of somebody else below them, as nothing is running.
_QUIET = frozenset({"", "pci-stub", "vfio-pci", "e1000", "e1000e"})
_MODULES = ("vfio_iommu_type1", "vfio_pci")
_PARAMETERS = (
    "vfio_iommu_type1.allow_unsafe_interrupts",
    "vfio_pci.disable_denylist",
    "vfio_pci.disable_idle_d3",
    "vfio_pci.enable_sriov",
)
# How much more often a step is about the favoured bus, and how often a sequence ends
# with a kernel driver beside a claimed device where it can.
_FAVOUR, _DARING = 4, 0.7


@dataclass
class _Walk:
    """What the steps so far have done, as far as the machine's description tells."""

    rng: random.Random
    machine: Machine
    drivers: dict[str, str]
    spare: dict[str, Device]
    claimed: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)
    attached: list[str] = field(default_factory=list)
    overridden: dict[str, str] = field(default_factory=dict)
    plugged: list[str] = field(default_factory=list)
    vfs: dict[str, int] = field(default_factory=dict)
    told: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    over: bool = False
    lost: bool = False
    """Whether a device is gone whose group user space may have open still."""

    @property
    def held(self) -> bool:
        """Say whether user space may have a group."""
        return bool(self.claimed or self.opened) or self.lost

    def card(self, name: str) -> Device:
        """Return what ``name`` is in the machine; a virtual function is its parent."""
        return self.machine.device(name.partition("/")[0])

    def places(self, step: Step) -> tuple[str | None, ...]:
        """Return the device and the bus that a step is about."""
        if not step.card:
            return ()
        card = self.card(step.device)
        return card.name, card.bus

    def candidates(self) -> Iterator[tuple[float, Step]]:
        """Yield the steps that make sense now, with their weights."""
        for name, driver in self.drivers.items():
            yield from self._binding(name, driver)
            yield from self._attaching(name, driver)
            if driver == "vfio-pci":
                yield (0.4 if name in self.claimed else 6), Step(Verb.CLAIM, name)
                yield (0.3 if name in self.opened else 2), Step(Verb.OPEN, name)
            elif "vfio-pci" not in self.drivers.values():
                # Nothing makes a node for the group, so nothing is claimed.
                yield 0.2, Step(Verb.CLAIM, name)
        for name in self.claimed:
            yield 4, Step(Verb.RELEASE, name)
        for name in self.opened:
            yield 4, Step(Verb.CLOSE, name)
        for name, card in self.spare.items():
            # Two drivers fit a card of an id that one was told of.
            if card.model not in self.told:
                yield (0.5 if self.held else 8), Step(Verb.HOTPLUG, name)
        for name in self.plugged:
            # What the module attached to may not vanish below it.
            if not self.attached:
                # The less often, the more of it is left for others to be done to.
                weight = 4 if name in self.claimed else 1 if self.held else 3
                yield weight, Step(Verb.UNPLUG, name)
        yield from self._virtual()
        yield from self._telling()
        yield from self._modules()

    def _binding(self, name: str, driver: str) -> Iterator[tuple[float, Step]]:
        native = self.card(name).driver
        if name in self.overridden:
            if not self.held or self.overridden[name] != native:
                yield 0.6, Step(Verb.PROBE, name)
            yield 0.3, Step(Verb.CLEAR, name)
        if driver:
            # A card that came is handed over, so that it is pulled out of a claim.
            host = 6 if name in self.plugged and not self.held else 1.7
            # Who is open by its own node is waited for.
            own = 0.2 if name in self.opened else 0.8
            yield (own if driver == "vfio-pci" else host), Step(Verb.UNBIND, name)
            yield 0.2, Step(Verb.BIND, name, self.rng.choice(_USER))
            yield 0.1, Step(Verb.REBIND, name, self.rng.choice(_USER))
            return
        yield 0.4, Step(Verb.REBIND, name, self.rng.choice(_USER))
        if native and not self.held:
            yield 0.4, Step(Verb.REBIND, name, native)
        for user in dict.fromkeys(_USER):
            yield (8 if user == "vfio-pci" else 2), Step(Verb.BIND, name, user)
        if native and "/" not in name:
            yield (3 if self.held else 1.5), Step(Verb.BIND, name, native)
        yield 1, Step(Verb.OVERRIDE, name, self.rng.choice(_USER))

    def _attaching(self, name: str, driver: str) -> Iterator[tuple[float, Step]]:
        if name in self.attached:
            yield 5, Step(Verb.DETACH, name)
        elif driver in _QUIET and len(self.attached) < 2:
            yield 0.7, Step(Verb.ATTACH, name)

    def _virtual(self) -> Iterator[tuple[float, Step]]:
        for name, driver in self.drivers.items():
            if "/" in name or self.attached:
                continue
            if not self.machine.device(name).option("sriov_max_vfs"):
                continue
            able = driver == "nvme"
            count = self.rng.randint(1, VIRTUAL + 1)
            if self.vfs.get(name):
                yield (2 if able else 0.5), Step(Verb.SRIOV, name, "0")
                yield 0.3, Step(Verb.SRIOV, name, str(count))
            else:
                yield (12 if able else 1), Step(Verb.SRIOV, name, str(count))

    def _telling(self) -> Iterator[tuple[float, Step]]:
        """Ids, and types of groups; what the module attached is left alone."""
        for name, driver in self.drivers.items():
            yield (0.15 if driver else 0.6), Step(Verb.NEW_ID, name, "vfio-pci")
            told = self.card(name).model in self.told
            yield (0.4 if told else 0.05), Step(Verb.REMOVE_ID, name, "vfio-pci")
            if not self.attached:
                kind = self.rng.choice(DOMAIN_TYPES)
                yield (0.2 if driver else 0.8), Step(Verb.TYPE, name, kind)

    def _modules(self) -> Iterator[tuple[float, Step]]:
        for module in _MODULES:
            gone = module in self.removed
            yield (15 if gone else 0.2), Step(Verb.LOAD, module)
            yield (0.2 if gone else 0.8), Step(Verb.UNLOAD, module)
        value = self.rng.choice("YNx")
        yield 0.3, Step(Verb.PARAMETER, self.rng.choice(_PARAMETERS), value)

    def take(self, step: Step) -> None:
        """Note what ``step`` does if nothing refuses it."""
        name, word = step.device, step.word
        match step.verb:
            case Verb.BIND:
                self.overridden[name] = word
                self._bound(name, word)
            case Verb.REBIND:
                # A driver with ids of its own binds where no override names another.
                if word == self.overridden.get(name, self.card(name).driver):
                    self._bound(name, word)
            case Verb.PROBE:
                self._bound(name, self.overridden[name])
            case Verb.OVERRIDE:
                self.overridden[name] = word
            case Verb.CLEAR:
                self.overridden.pop(name)
            case Verb.UNBIND:
                self.drivers[name] = ""
            case Verb.CLAIM if self.drivers[name] == "vfio-pci":
                if name not in self.claimed:
                    self.claimed.append(name)
            case Verb.RELEASE:
                self.claimed.remove(name)
            case Verb.OPEN if name not in self.opened:
                self.opened.append(name)
            case Verb.CLOSE:
                self.opened.remove(name)
            case Verb.ATTACH:
                self.attached.append(name)
            case Verb.DETACH:
                self.attached.remove(name)
            case Verb.HOTPLUG:
                card = self.spare.pop(name)
                self.drivers[name] = card.driver
                self.plugged.append(name)
                self.over = self.held
            case Verb.UNPLUG:
                self.spare[name] = self.machine.device(name)
                self.plugged.remove(name)
                self._vanish(name)
            case Verb.SRIOV:
                self._virtual_functions(name, int(word))
            case Verb.NEW_ID:
                self.told.add(self.card(name).model)
                self._taken_by(word)
            case Verb.REMOVE_ID:
                self.told.discard(self.card(name).model)
            case Verb.LOAD:
                self.removed.discard(name)
                if name == "vfio_pci":
                    self._taken_by("vfio-pci")
            case Verb.UNLOAD if not self.held:
                self.removed.add(name)
                if name == "vfio_pci":
                    self.told.clear()
                    self._let_go("vfio-pci")

    def _taken_by(self, driver: str) -> None:
        for name in self.drivers:
            given = self.overridden.get(name)
            fits = self.card(name).model in self.told and "/" not in name
            if given == driver or (given is None and fits):
                self._bound(name, driver)

    def _let_go(self, driver: str) -> None:
        for name, bound in self.drivers.items():
            if bound == driver:
                self.drivers[name] = ""

    def _bound(self, name: str, driver: str) -> None:
        if self.drivers[name] or driver.replace("-", "_") in self.removed:
            return
        self.drivers[name] = driver
        native = driver == self.card(name).driver
        self.over = native and self.held

    def _vanish(self, name: str) -> None:
        self.drivers.pop(name, None)
        self.overridden.pop(name, None)
        for names in (self.claimed, self.opened):
            if name in names:
                names.remove(name)
                self.lost = True

    def _virtual_functions(self, name: str, count: int) -> None:
        # Only its own driver makes them, and none while there are others.
        makes_none = self.drivers[name] != "nvme" or (count and self.vfs.get(name))
        if count > VIRTUAL or makes_none:
            return
        self.vfs[name] = count
        for number in range(VIRTUAL):
            self._vanish(f"{name}/{number}")
        for number in range(count):
            self.drivers[f"{name}/{number}"] = ""


def random_steps(machine: Machine, seed: int, count: int = 6) -> tuple[Step, ...]:
    """Return up to ``count`` steps over ``machine`` that belong to ``seed``.

    They favour the devices of one bus, so that groups of several get mixed.
    """
    rng = random.Random(f"steps {seed}")
    walk = _walk(machine, rng)
    favoured = rng.choice([d.bus or d.name for d in machine.endpoints])
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
                weight * (_FAVOUR if favoured in walk.places(step) else 1)
                for weight, step in weighed
            ]
            step = rng.choices([step for _, step in weighed], weights)[0]
        walk.take(step)
        steps.append(step)
    return tuple(steps)


def growing_steps(machine: Machine, steps: Iterable[Step]) -> tuple[Step, ...]:
    """Return the steps that plug a card into every port left empty after ``steps``.

    Users let go first. There are none after steps that may have ended the kernel, or
    where one has a group open of which no device is left to name it by.
    """
    walk = _walk(machine, random.Random(0))
    for step in steps:
        walk.take(step)
    if walk.over or walk.lost or not walk.spare:
        return ()
    return (
        *(Step(Verb.RELEASE, name) for name in walk.claimed),
        *(Step(Verb.CLOSE, name) for name in walk.opened),
        *(Step(Verb.DETACH, name) for name in walk.attached),
        *(Step(Verb.HOTPLUG, name) for name in walk.spare),
    )


def _walk(machine: Machine, rng: random.Random) -> _Walk:
    drivers = {device.name: device.driver for device in machine.endpoints}
    spare = {device.name: device for device in machine.spare}
    return _Walk(rng, machine, drivers, spare)


def _into_claimed(walk: _Walk) -> list[Step]:
    """Return the steps that give a neighbour of a claimed device to the kernel."""
    return [
        Step(Verb.BIND, name, walk.card(name).driver)
        for name, driver in walk.drivers.items()
        if not driver and "/" not in name and walk.card(name).driver
        if walk.card(name).bus in {walk.card(other).bus for other in walk.claimed}
    ]
