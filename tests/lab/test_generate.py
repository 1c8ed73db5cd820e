"""Random machines and steps, and what makes a failing one small; no QEMU needed."""

from __future__ import annotations

import argparse
import shlex
import subprocess
import sys
from collections import Counter

import pytest
from examples import each

from iommu_inspect.kernel.steps import step as tool
from lab.cache import REPOSITORY
from lab.errors import LabError
from lab.machines import Device, Iommu, Machine, find_machine, port
from lab.machines.model import ENDPOINTS
from lab.machines.parts import VIRTUAL
from lab.random_machines import random_machine
from lab.random_steps import growing_steps, random_steps
from lab.shrink import (
    add_arguments,
    read_arguments,
    repeat_command,
    shrink,
    without_device,
)
from lab.steps import Step, Verb, parse_step, whatif

SEEDS = range(200)
DRIVERS = {driver for _, driver in ENDPOINTS.values()}
MACHINES = {seed: random_machine(seed) for seed in SEEDS}


def steps_of(seed: int, count: int = 6) -> tuple[Step, ...]:
    return random_steps(MACHINES[seed], seed, count)


def pci_functions(machine: Machine) -> list[Device]:
    return [device for device in machine.devices if device.model != "nvme-subsys"]


def test_a_seed_always_gives_the_same() -> None:
    for seed in range(20):
        assert random_machine(seed) == MACHINES[seed]
        assert random_steps(random_machine(seed), seed) == steps_of(seed)
    assert len({machine.devices for machine in MACHINES.values()}) > 190


def test_a_seed_gives_the_same_in_every_process() -> None:
    program = (
        "from lab.campaign import random_walk;"
        "print([random_walk(seed, 9).states for seed in range(100)])"
    )
    walks = {
        subprocess.run(
            [sys.executable, "-c", program],
            cwd=REPOSITORY,
            env={"PYTHONHASHSEED": hashes},
            stdout=subprocess.PIPE,
            check=True,
        ).stdout
        for hashes in "12"
    }
    assert len(walks) == 1


@each("seed", SEEDS)
def test_machine_is_well_formed(seed: int) -> None:
    machine = MACHINES[seed]
    names = [device.name for device in (*machine.devices, *machine.spare)]
    assert len(set(names)) == len(names)
    assert not set(names) & {*DRIVERS, *Verb}
    assert 3 <= len(pci_functions(machine)) <= 15
    above, places = set[str](), set[tuple[str | None, str]]()
    for device in machine.devices:
        assert device.bus is None or device.bus in above
        above.add(device.name)
        if device.slot:
            assert (device.bus, device.slot) not in places
            places.add((device.bus, device.slot))
    for bus, place in places:
        slot, _, function = place.partition(".")
        assert function in ("", "0") or (bus, f"{slot}.0") in places
    taken = {device.bus for device in machine.devices}
    plugs = [device.bus for device in machine.spare]
    assert not taken & set(plugs) and len(set(plugs)) == len(plugs)
    assert machine.endpoints


def test_machines_are_of_many_kinds() -> None:
    models = Counter(d.model for m in MACHINES.values() for d in m.devices)
    assert set(ENDPOINTS) <= set(models)
    for model in (
        "x3130-upstream",
        "pcie-pci-bridge",
        "i82801b11-bridge",
        "pci-bridge",
        "pxb-pcie",
        "nvme-subsys",
    ):
        assert models[model] >= 5, model
    bare = [d for m in MACHINES.values() for d in m.devices if d.option("disable-acs")]
    assert len(bare) > 50
    iommus = {machine.iommu for machine in MACHINES.values()}
    assert iommus == {
        Iommu.INTEL,
        Iommu.INTEL_NO_REMAP,
        Iommu.AMD,
        Iommu.AMD_NO_REMAP,
    }


@each("seed", SEEDS)
def test_in_the_end_no_port_that_takes_a_card_is_empty(seed: int) -> None:
    machine, steps = MACHINES[seed], steps_of(seed)
    last = growing_steps(machine, steps)
    if not last:
        return
    plugged = [s for s in (*steps, *last) if s.verb in ("hotplug", "unplug")]
    verbs = {step.device: step.verb for step in plugged}
    assert verbs == {device.name: "hotplug" for device in machine.spare}
    used = Counter(step.verb for step in (*steps, *last))
    # What is claimed without a node is not held, and not released.
    assert used[Verb.RELEASE] <= used[Verb.CLAIM]
    assert used[Verb.ATTACH] == used[Verb.DETACH]


def test_cards_come_last_on_most_machines_that_have_room() -> None:
    grown = [seed for seed in SEEDS if growing_steps(MACHINES[seed], steps_of(seed))]
    assert len(grown) > 80


@each("seed", SEEDS)
def test_steps_make_sense(seed: int) -> None:
    machine = MACHINES[seed]
    present = {device.name for device in machine.endpoints}
    drivers = {name: machine.device(name).driver for name in present}
    claimed, attached, overridden = set[str](), set[str](), set[str]()
    opened = set[str]()
    for step in steps_of(seed, 12):
        name = step.device
        assert parse_step(str(step)) == step
        if step.verb == "hotplug":
            assert name not in present
            present.add(name)
            drivers[name] = machine.device(name).driver
            continue
        assert step.card in {"", *present}
        match step.verb:
            case Verb.BIND:
                drivers[name] = drivers.get(name) or step.word
                overridden.add(name)
            case Verb.OVERRIDE:
                overridden.add(name)
            case Verb.CLEAR:
                overridden.remove(name)
            case Verb.PROBE:
                assert name in overridden
            case Verb.CLAIM:
                claimed.add(name)
            case Verb.RELEASE:
                claimed.remove(name)
            case Verb.OPEN:
                opened.add(name)
            case Verb.CLOSE:
                opened.remove(name)
            case Verb.ATTACH:
                attached.add(name)
            case Verb.DETACH:
                attached.remove(name)
            case Verb.SRIOV:
                assert not attached
            case Verb.UNPLUG:
                assert not attached
                present.remove(name)
                claimed.discard(name)
                overridden.discard(name)


def test_steps_do_what_a_careful_person_would_not() -> None:
    seen = set[str]()
    for seed in SEEDS:
        claimed = set[str]()
        for step in steps_of(seed, 12):
            if step.verb is Verb.CLAIM and step.device in claimed:
                seen.add("claims twice")
            if step.verb is Verb.UNBIND and step.device in claimed:
                seen.add("lets go of what user space has")
            if step.verb is Verb.UNPLUG and step.device in claimed:
                seen.add("pulls out what user space has")
            if step.verb is Verb.SRIOV and step.word == "0" and claimed:
                seen.add("takes virtual functions away while some group is claimed")
            if step.verb is Verb.CLAIM:
                claimed.add(step.device)
            elif step.verb in (Verb.RELEASE, Verb.UNPLUG):
                claimed.discard(step.device)
    assert len(seen) == 4, seen


def test_only_the_last_step_may_end_the_kernel() -> None:
    ends = 0
    for seed in SEEDS:
        steps = steps_of(seed, 12)
        drivers = {d.name: d.driver for d in MACHINES[seed].endpoints}
        claimed = set[str]()
        for index, step in enumerate(steps):
            name = step.device
            driver = MACHINES[seed].device(step.card).driver if step.card else ""
            native = step.verb == "bind" and step.word == driver
            native = native and not drivers.get(name)
            if claimed and (native or step.verb == "hotplug"):
                assert index == len(steps) - 1
                ends += 1
            if step.verb == "bind":
                drivers[name] = drivers.get(name) or step.word
            elif step.verb == "sriov":
                drivers |= {f"{name}/{n}": "" for n in range(VIRTUAL)}
            elif step.verb == "unbind":
                drivers[name] = ""
            elif step.verb == "hotplug":
                drivers[name] = driver
            elif step.verb == "claim" and drivers.get(name) == "vfio-pci":
                claimed.add(name)
            elif step.verb == "release":
                claimed.discard(name)
    assert ends > 10


def test_every_verb_occurs() -> None:
    verbs = Counter(step.verb for seed in SEEDS for step in steps_of(seed))
    # What an administrator does, all at once, is for machines that are described.
    assert set(verbs) == set(Verb) - {Verb.GIVE}
    assert min(verbs.values()) >= 5, verbs
    assert sum(verbs.values()) >= 1000


@each("seed", range(60))
def test_tool_understands_every_step(seed: int) -> None:
    def resolve(word: str) -> str:
        return "7" if word.startswith("group:") else "0000:01:00.0"

    for step in steps_of(seed):
        for text in whatif(step, MACHINES[seed], resolve, bool):
            verb = {
                Verb.CLEAR: "override",  # without a driver
                Verb.OPEN: "claim",  # by iommufd
                Verb.CLOSE: "release",
            }.get(step.verb, step.verb)
            assert tool.parse_step(text).text.startswith(f"{verb}=")


class TestShrink:
    def test_finds_the_planted_case(self) -> None:
        big = next(
            machine
            for machine in MACHINES.values()
            if len(machine.devices) > 10 and len(machine.spare) > 1
        )
        planted = Machine(
            "planted",
            "",
            (*big.devices, port("bad", 99, "1c.0"), Device("nvme", "culprit", "bad")),
            big.iommu,
            spare=big.spare,
        )
        blame = Step(Verb.UNBIND, "culprit")
        others = random_steps(big, 5, 8)

        def fails(machine: Machine, steps: tuple[Step, ...]) -> bool:
            names = {device.name for device in machine.devices}
            return "culprit" in names and blame in steps

        found = shrink(planted, (*others[:4], blame, *others[4:]), fails, tries=200)
        assert found.finished
        assert [device.name for device in found.machine.devices] == ["bad", "culprit"]
        assert found.machine.device("culprit").model == "e1000e"
        assert found.machine.spare == ()
        assert found.machine.iommu is Iommu.INTEL
        assert found.steps == (blame,)

    def test_stops_in_time(self) -> None:
        asked = list[Machine]()

        def fails(machine: Machine, steps: tuple[Step, ...]) -> bool:
            asked.append(machine)
            return len(asked) % 3 == 0

        found = shrink(MACHINES[7], steps_of(7), fails, tries=11)
        assert found.tries == len(asked) == 11
        assert not found.finished

    def test_nothing_smaller_fails(self) -> None:
        machine, steps = MACHINES[11], steps_of(11)
        found = shrink(machine, steps, lambda *_: False, tries=500)
        assert (found.machine, found.steps, found.finished) == (machine, steps, True)

    def test_steps_without_their_device_go(self) -> None:
        machine = find_machine("switch")
        steps = (Step(Verb.UNBIND, "nic"), Step(Verb.UNBIND, "usb"))
        seen = list[tuple[Machine, tuple[Step, ...]]]()

        def fails(less: Machine, fewer: tuple[Step, ...]) -> bool:
            seen.append((less, fewer))
            return False

        shrink(machine, steps, fails)
        for less, fewer in seen:
            names = {device.name for device in less.devices}
            assert {step.device for step in fewer} <= names

    @each("seed", range(40))
    def test_cut_machines_are_whole(self, seed: int) -> None:
        machine = MACHINES[seed]
        for device in (*machine.devices, *machine.spare):
            less = without_device(machine, device.name)
            names = {device.name for device in less.devices}
            places = {(device.bus, device.slot) for device in less.devices}
            assert device.name not in names
            for other in (*less.devices, *less.spare):
                assert other.bus is None or other.bus in names
                assert (other.option("subsys") or next(iter(names))) in names
                slot, _, function = (other.slot or "").partition(".")
                alone = function in ("", "0")
                assert alone or (other.bus, f"{slot}.0") in places

    @each("seed", range(40))
    def test_command_line_describes_the_machine(self, seed: int) -> None:
        machine, steps = MACHINES[seed], steps_of(seed)
        words = shlex.split(repeat_command(machine, steps, "6.12"))
        assert words[:4] == ["python", "-m", "lab", "repeat"]
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        again, same = read_arguments(parser.parse_args(words[4:]))
        assert same == steps
        assert (again.devices, again.spare) == (machine.devices, machine.spare)
        assert again.iommu is machine.iommu
        assert again.arguments() == machine.arguments()

    def test_step_on_an_unknown_device_is_an_error(self) -> None:
        parser = argparse.ArgumentParser()
        add_arguments(parser)
        options = parser.parse_args(["6.12", "--step", "unbind=ghost"])
        with pytest.raises(LabError, match="no device 'ghost'"):
            read_arguments(options)
