"""The states that a churn walks through: few, known, one operation of the kernel apart.

A ``Thing`` is a device and the positions it can be in; each ``Go`` leads from one of
them to another by one write to the kernel, or one plug. In a state every thing is at
home but those of one ``crowd``, which share a group and so are mixed in all ways.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lab.errors import LabError
from lab.machines import Device, Machine, port
from lab.machines.parts import SPARES, sriov_disk

__all__ = ["CHURNS", "Churn", "Edge", "Go", "State", "find_churn"]

State = tuple[str, ...]
"""The position of each thing, in the order of ``Churn.things``."""


@dataclass(frozen=True, slots=True)
class Go:
    """One operation: from a position to another, perhaps seen in others on the way."""

    before: str
    after: str
    command: str
    via: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Thing:
    """A device by the machine's name; at home it is in the first position."""

    device: str
    goes: tuple[Go, ...]

    @property
    def positions(self) -> tuple[str, ...]:
        """Every position, the home first."""
        return tuple(dict.fromkeys(go.before for go in self.goes))


@dataclass(frozen=True, slots=True)
class Edge:
    """One operation that leads from a state to another; ``via`` are states between."""

    before: State
    after: State
    command: str
    via: tuple[State, ...]


@dataclass(frozen=True)
class Churn:
    """A machine and what is moved in it; ``crowds`` are moved against each other.

    ``sleeper`` is the device that is asleep while it is seen that nothing wakes.
    """

    machine: Machine
    things: tuple[Thing, ...]
    sleeper: str
    crowds: tuple[tuple[str, ...], ...] = ()

    @property
    def home(self) -> State:
        """The state of the machine as it booted."""
        return tuple(thing.positions[0] for thing in self.things)

    @property
    def asleep(self) -> State:
        """The state in which the sleeper has a driver that nobody uses."""
        return tuple(
            "user" if thing.device == self.sleeper else thing.positions[0]
            for thing in self.things
        )

    @property
    def targets(self) -> tuple[str, ...]:
        """The devices that the tool is asked about, by the machine's names."""
        functions = [
            f"{thing.device}/0"
            for thing in self.things
            if any(go.command.startswith("sriov ") for go in thing.goes)
        ]
        return (*(thing.device for thing in self.things), *functions)

    def states(self) -> tuple[State, ...]:
        """Return every state, the home first."""
        alone = [
            (thing.device,)
            for thing in self.things
            if not any(thing.device in crowd for crowd in self.crowds)
        ]
        found = {self.home: None}
        for crowd in (*self.crowds, *alone):
            choices = [
                thing.positions if thing.device in crowd else thing.positions[:1]
                for thing in self.things
            ]
            found |= dict.fromkeys(itertools.product(*choices))
        return tuple(found)

    def edges(self) -> Mapping[State, tuple[Edge, ...]]:
        """Return the operations that lead from each state to another one."""
        states = self.states()
        known = set(states)
        return {
            state: tuple(edge for edge in self._leaving(state) if edge.after in known)
            for state in states
        }

    def _leaving(self, state: State) -> Iterator[Edge]:
        for number, thing in enumerate(self.things):
            for go in thing.goes:
                if go.before != state[number]:
                    continue
                after, *via = (
                    (*state[:number], position, *state[number + 1 :])
                    for position in (go.after, *go.via)
                )
                yield Edge(state, after, go.command, tuple(via))


def _binding(name: str, native: str) -> tuple[Go, ...]:
    """Return what an administrator does to one device, each write by itself."""
    return (
        Go("kernel", "free", f"unbind {name}"),
        Go("free", "kernel", f"bind {name} {native}"),
        Go("free", "set", f"override {name} vfio-pci"),
        Go("set", "free", f"override {name}"),
        Go("set", "user", f"bind {name} vfio-pci"),
        Go("user", "set", f"unbind {name}"),
    )


def _bound(name: str, native: str) -> Thing:
    return Thing(name, _binding(name, native))


def _eager(name: str, native: str) -> Thing:
    """Return a device that is overridden before its driver lets go, too."""
    return Thing(
        name,
        (
            *_binding(name, native),
            Go("kernel", "claimed", f"override {name} vfio-pci"),
            Go("claimed", "kernel", f"override {name}"),
            Go("claimed", "set", f"unbind {name}"),
        ),
    )


def _removed(name: str, native: str) -> Thing:
    """Return a device that the kernel forgets, and finds again."""
    return Thing(
        name,
        (
            *_binding(name, native),
            Go("kernel", "gone", f"remove {name}", ("free",)),
            Go("user", "gone", f"remove {name}", ("set",)),
            Go("gone", "kernel", "rescan", ("free",)),
        ),
    )


def _plugged(name: str, native: str) -> Thing:
    """Return a spare device that comes and goes."""
    return Thing(
        name,
        (
            Go("out", "kernel", f"plug {name}", ("free",)),
            *_binding(name, native),
            Go("kernel", "out", f"unplug {name}", ("free",)),
            Go("user", "out", f"unplug {name}", ("set",)),
        ),
    )


def _virtual(name: str) -> Thing:
    """Return a drive that has no virtual function, or two; the first is handed over."""
    return Thing(
        name,
        (
            Go("none", "two", f"sriov {name} 2", ("one",)),
            Go("two", "none", f"sriov {name} 0", ("one",)),
            # Only seen on the way, but a state like any other.
            Go("none", "one", f"sriov {name} 1"),
            Go("one", "none", f"sriov {name} 0"),
            Go("two", "set", f"override {name}/0 vfio-pci"),
            Go("set", "two", f"override {name}/0"),
            Go("set", "user", f"bind {name}/0 vfio-pci"),
            Go("user", "set", f"unbind {name}/0"),
        ),
    )


_ALL = Churn(
    Machine(
        "churn",
        "a bridge with two NICs, a NIC and a drive with virtual functions below ports "
        "with ACS, an empty slot below one without",
        (
            # The kernel lets no port sleep whose hot-plug is the firmware's.
            port("rp1", 1, "1.0", options="hotplug=off"),
            Device("e1000e", "nic", "rp1"),
            port("rp2", 2, "2.0"),
            Device("pcie-pci-bridge", "bridge", "rp2"),
            Device("e1000", "old1", "bridge", "1.0"),
            Device("e1000", "old2", "bridge", "2.0"),
            port("rp3", 3, "3.0"),
            *sriov_disk("disk", "rp3"),
            port("bare", 4, "4.0", acs=False),
        ),
        spare=(Device("e1000e", "card", "bare"),),
    ),
    (
        _eager("old1", "e1000"),
        _bound("old2", "e1000"),
        _removed("nic", "e1000e"),
        _plugged("card", "e1000e"),
        _virtual("disk"),
    ),
    sleeper="nic",
    crowds=(("old1", "old2"),),
)

_SLOTS = Churn(
    Machine(
        "churn-slots",
        "two empty slots, one below a port without ACS, and a USB controller",
        SPARES,
        spare=(Device("e1000e", "card", "bare"), Device("e1000e", "other", "clean")),
    ),
    (
        _plugged("card", "e1000e"),
        _plugged("other", "e1000e"),
        _removed("usb", "xhci_hcd"),
    ),
    sleeper="usb",
)

CHURNS: dict[str, Churn] = {churn.machine.name: churn for churn in (_ALL, _SLOTS)}


def find_churn(name: str) -> Churn:
    """Return the churn called ``name``, or say which there are."""
    try:
        return CHURNS[name]
    except KeyError:
        raise LabError(f"no churn '{name}'; known: {', '.join(CHURNS)}") from None
