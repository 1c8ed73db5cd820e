"""Hosts on which something happens: states of captured kernels, and the events."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

from running import read
from shared import FIXTURES

from iommu_inspect.audit.watching.changes import Change
from iommu_inspect.audit.watching.following import Told, follow
from iommu_inspect.audit.watching.state import State, state_of
from iommu_inspect.kernel.eras import applicable
from iommu_inspect.model.device import Device
from iommu_inspect.model.events import Action, Burst, Event
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.group import Group
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.machine import Machine

KERNELS = FIXTURES / "kernels"
AT = 1_700_000_000.25


def captured(name: str) -> Machine:
    """Return what a kernel of the lab showed: ``6.12-reference-2``."""
    return read(KERNELS / f"{name}.tar.gz")


def on(machine: Machine, **drivers: Fact[str | None]) -> Machine:
    """Return a machine with devices, ``pci_03_01_0``, on other drivers."""
    for name, driver in drivers.items():
        device = machine.device(called(name))
        assert device is not None
        # vfio-pci has a device of its own there, no other driver has.
        vfio = Missing.UNREADABLE if isinstance(driver, Missing) else ()
        now = replace(
            device,
            driver=driver,
            vfio_devices=("vfio0",) if driver == "vfio-pci" else vfio,
        )
        machine = machine.with_device(device, now)
    return machine


def called(name: str) -> DeviceId:
    _, bus, slot, function = name.split("_")
    return DeviceId(f"0000:{bus}:{slot}.{function}", "pci")


def without(machine: Machine, *names: str) -> Machine:
    """Return a machine without devices, nor the groups that they had alone."""
    gone = set(map(called, names))
    groups = [
        replace(g, devices=tuple(d for d in g.devices if d.id not in gone))
        for g in machine.groups
    ]
    return replace(machine, groups=tuple(g for g in groups if g.devices))


def event(action: str, name: str, driver: str | None = None, at: float = AT) -> Event:
    device = called(name) if name.startswith("pci_") else DeviceId(name, "platform")
    return Event(Action(action), device, f"sys/devices/{device}", driver, at)


def judged(machine: Machine) -> State:
    return state_of(machine, applicable(machine.kernel))


def following(*steps: Machine | Burst) -> list[Told]:
    """Return what is told of machines with the bursts between them, in turn.

    What is told of a burst in two parts, its events before the reading, is joined.
    """
    machines = [judged(each) for each in steps if isinstance(each, Machine)]
    bursts = [each for each in steps if isinstance(each, Burst)]
    after = iter(machines[1:])
    found: list[Told] = []
    early: tuple[Change, ...] = ()
    state = machines[0]
    coming = iter([m for m, b in zip(machines[1:], bursts, strict=True) if b.events])

    def find(events: Iterable[Event]) -> dict[DeviceId, Device]:
        found = (each.device for each in events)
        machine = next(coming).machine
        return {d: there for d in found if (there := machine.device(d))}

    for told in follow(machines[0], bursts, find, lambda *_: next(after)):
        if told.state is state:
            early = told.changes
            continue
        found.append(replace(told, changes=(*early, *told.changes)))
        early, state = (), told.state
    return found


def many_functions(count: int) -> tuple[Machine, Machine]:
    """Return a machine without virtual functions of a drive, and with so many."""
    full = captured("6.12-sriov-vfio-3")
    like = full.device(called("pci_01_00_1"))
    assert like is not None
    before = without(full, "pci_01_00_1", "pci_01_00_2")
    made = [_function(like, number) for number in range(1, count + 1)]
    groups = [
        Group(device.group, (device,))
        for device in made
        if isinstance(device.group, str)
    ]
    return before, replace(before, groups=(*before.groups, *groups))


def _function(like: Device, number: int) -> Device:
    address = f"0000:01:{number // 8:02x}.{number % 8}"
    return replace(
        like,
        id=DeviceId(address, "pci"),
        path=f"sys/devices/pci0000:00/0000:00:01.0/{address}",
        group=str(100 + number),
        driver="nvme",
        vfio_devices=(),
        driver_override=None,
    )


def in_order(numbers: Iterable[int]) -> bool:
    return all(one < other for one, other in pairwise(numbers))
