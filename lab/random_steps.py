"""Random steps over a machine, from a seed.

The same seed gives the same steps on every run. No device leaves vfio-pci or the
machine while a group is claimed (5.10 waits for the user to let go). A kernel driver
that is bound while a group is claimed ends a sequence, as it may end the kernel.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from lab.machines import Device, Machine
from lab.machines.parts import VIRTUAL
from lab.steps import Step, Verb

__all__ = ["growing_steps", "random_steps"]

_USER = ("vfio-pci", "vfio-pci", "vfio-pci", "pci-stub")
# Drivers that survive a domain of somebody else below them, as nothing is running.
_QUIET = frozenset({"", "pci-stub", "vfio-pci", "e1000", "e1000e"})
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
    attached: list[str] = field(default_factory=list)
    overridden: dict[str, str] = field(default_factory=dict)
    plugged: list[str] = field(default_factory=list)
    vfs: dict[str, int] = field(default_factory=dict)
    over: bool = False

    def card(self, name: str) -> Device:
        """Return what ``name`` is in the machine; a virtual function is its parent."""
        return self.machine.device(name.partition("/")[0])

    def candidates(self) -> Iterator[tuple[float, Step]]:
        """Yield the steps that make sense now, with their weights."""
        for name, driver in self.drivers.items():
            yield from self._binding(name, driver)
            yield from self._attaching(name, driver)
            if driver == "vfio-pci" and name not in self.claimed:
                yield 6, Step(Verb.CLAIM, name)
            elif "vfio-pci" not in self.drivers.values():
                # Nothing makes a node for the group, so nothing is claimed.
                yield 0.2, Step(Verb.CLAIM, name)
        for name in self.claimed:
            yield 4, Step(Verb.RELEASE, name)
        for name in self.spare:
            yield (0.5 if self.claimed else 8), Step(Verb.HOTPLUG, name)
        for name in self.plugged:
            if not (self.claimed or self.attached):
                yield 8, Step(Verb.UNPLUG, name)
        yield from self._virtual()

    def _binding(self, name: str, driver: str) -> Iterator[tuple[float, Step]]:
        if driver:
            # 5.10 waits for the user of the group; the others do not care.
            if driver != "vfio-pci" or not self.claimed:
                yield (0.8 if driver == "vfio-pci" else 1.7), Step(Verb.UNBIND, name)
            yield 0.2, Step(Verb.BIND, name, self.rng.choice(_USER))
            return
        native = self.card(name).driver
        for user in dict.fromkeys(_USER):
            yield (8 if user == "vfio-pci" else 2), Step(Verb.BIND, name, user)
        if native and "/" not in name:
            yield (3 if self.claimed else 1.5), Step(Verb.BIND, name, native)
        yield 1, Step(Verb.OVERRIDE, name, self.rng.choice(_USER))

    def _attaching(self, name: str, driver: str) -> Iterator[tuple[float, Step]]:
        if name in self.attached:
            yield 5, Step(Verb.DETACH, name)
        elif driver in _QUIET and len(self.attached) < 2:
            yield 0.7, Step(Verb.ATTACH, name)

    def _virtual(self) -> Iterator[tuple[float, Step]]:
        for name, driver in self.drivers.items():
            if "/" in name or driver != "nvme":
                continue
            if not self.machine.device(name).option("sriov_max_vfs"):
                continue
            if not self.vfs.get(name):
                count = self.rng.randint(1, VIRTUAL + 1)
                yield 12, Step(Verb.SRIOV, name, str(count))
            elif not (self.claimed or self.attached):
                yield 2, Step(Verb.SRIOV, name, "0")

    def take(self, step: Step) -> None:
        """Note what ``step`` does if nothing refuses it."""
        name, word = step.device, step.word
        match step.verb:
            case Verb.BIND:
                self.overridden[name] = word
                native = word == self.card(name).driver
                self.over = native and bool(self.claimed)
                if not self.drivers[name]:
                    self.drivers[name] = word
            case Verb.UNBIND:
                self.drivers[name] = ""
            case Verb.CLAIM if self.drivers[name] == "vfio-pci":
                self.claimed.append(name)
            case Verb.RELEASE:
                self.claimed.remove(name)
            case Verb.ATTACH:
                self.attached.append(name)
            case Verb.DETACH:
                self.attached.remove(name)
            case Verb.HOTPLUG:
                card = self.spare.pop(name)
                self.drivers[name] = card.driver
                self.plugged.append(name)
                self.over = bool(self.claimed)
            case Verb.UNPLUG:
                self.spare[name] = self.machine.device(name)
                self.plugged.remove(name)
                self.drivers.pop(name, None)
            case Verb.SRIOV:
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
            places = [walk.card(step.device) for _, step in weighed]
            weights = [
                weight * (_FAVOUR if favoured in (card.name, card.bus) else 1)
                for (weight, _), card in zip(weighed, places, strict=True)
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
        *(Step(Verb.RELEASE, name) for name in walk.claimed),
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
