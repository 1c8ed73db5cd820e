"""The machines as data: well formed, each with a description, enough of them."""

from __future__ import annotations

import itertools
import re

import pytest
from examples import each

from lab.churn_states import CHURNS
from lab.errors import LabError
from lab.machines import MACHINES, Device, Iommu, Machine, find_machine, parse_device
from lab.machines.model import DISK_BUS, ENDPOINTS, NOT_PCI, ROOT_BUS
from lab.steps import Step, Verb

AMD64 = [machine for machine in MACHINES.values() if machine.architecture == "amd64"]
ARM64 = [machine for machine in MACHINES.values() if machine.architecture == "arm64"]
# Slots that the board, the lab's file share and the virtio-iommu take.
TAKEN = {"0", "1d", "1e", "1f"}

CHURNED = [churn.machine for churn in CHURNS.values()]

each_machine = each("machine", [*MACHINES.values(), *CHURNED])


def check_well_formed(machine: Machine) -> None:
    names = [device.name for device in (*machine.devices, *machine.spare)]
    assert all(re.fullmatch(r"[a-z][a-z0-9-]*", name) for name in names)
    assert len(set(names)) == len(names)
    drivers = {driver for _, driver in ENDPOINTS.values()}
    assert not set(names) & {*drivers, *Verb, "drive"}
    above, places, chassis = set[str](), set[tuple[object, str]](), list[str]()
    for device in machine.devices:
        assert device.bus in (None, DISK_BUS) or device.bus in above
        above.add(device.name)
        if device.slot:
            slot, _, function = device.slot.partition(".")
            assert int(slot, 16) < 32 and int(function) < 8
            assert device.bus is not None or slot not in TAKEN
            assert (device.bus, device.slot) not in places
            places.add((device.bus, device.slot))
        number = device.option("chassis")
        chassis += [number] if number else []
        subsystem = device.option("subsys")
        assert subsystem is None or subsystem in above
    assert len(set(chassis)) == len(chassis)
    for bus, place in places:
        slot, _, function = place.partition(".")
        if function != "0":
            first = [
                d for d in machine.devices if (d.bus, d.slot) == (bus, f"{slot}.0")
            ]
            assert [device.option("multifunction") for device in first] == ["on"]
    for device in machine.spare:
        assert device.bus in above
        assert all(other.bus != device.bus for other in machine.devices)


def test_there_are_enough_machines() -> None:
    assert len([machine for machine in AMD64 if not machine.since]) >= 32
    assert len(ARM64) >= 8


def test_descriptions_are_short_and_differ() -> None:
    descriptions = [machine.description for machine in MACHINES.values()]
    assert len(set(descriptions)) == len(descriptions)
    assert all(0 < len(text) <= 80 and "\n" not in text for text in descriptions)


@each_machine
def test_machine_is_well_formed(machine: Machine) -> None:
    check_well_formed(machine)


@each_machine
def test_qemu_gets_each_device_once_and_on_a_bus_that_exists(machine: Machine) -> None:
    arguments = machine.arguments()
    given = [
        value for option, value in itertools.pairwise(arguments) if option == "-device"
    ]
    for device in machine.devices:
        assert given.count(device.argument()) == 1
        assert parse_device(device.argument()) == device
        assert not re.search(r",,|\s|=,|,$", device.argument())
        on_root = f"bus={ROOT_BUS}" in device.argument().split(",")
        assert on_root == (device.bus is None and device.model not in NOT_PCI)


@each_machine
def test_states_name_devices_of_the_machine(machine: Machine) -> None:
    assert machine.states[0] == ()
    present = {device.name for device in machine.devices}
    spare = {device.name for device in machine.spare}
    for step in (move for state in machine.states for move in state):
        assert isinstance(step, Step)
        assert bool(step.word) == step.verb.has_word
        if step.verb is Verb.HOTPLUG:
            assert step.device in spare
            present.add(step.device)
        else:
            assert step.card in {"", *present}
        if "/" in step.device:
            assert machine.device(step.card).option("sriov_max_vfs")


def test_every_iommu_is_used() -> None:
    assert {machine.iommu for machine in MACHINES.values()} == set(Iommu)


def test_unknown_machine_and_device_are_errors() -> None:
    with pytest.raises(LabError, match="unknown machine 'nope'; known: reference"):
        find_machine("nope")
    with pytest.raises(LabError, match="reference has no device 'nope'"):
        find_machine("reference").device("nope")


def test_device_is_told_to_qemu_and_to_qmp_alike() -> None:
    device = Device("nvme", "disk", "rp1", "0.1", "serial=disk,multifunction=on")
    assert device.argument() == (
        "nvme,id=disk,bus=rp1,addr=0.1,serial=disk,multifunction=on"
    )
    assert device.properties() == {
        "driver": "nvme",
        "id": "disk",
        "bus": "rp1",
        "addr": "0.1",
        "serial": "disk",
        "multifunction": True,
    }
