"""All advice holds, whatever the machine: a sample of what ``make advice`` looks at."""

from __future__ import annotations

import pytest
from examples import each
from shared import SYSFS

from iommu_inspect.model.machine import Machine
from iommu_inspect.rules.finding import Purpose
from iommu_inspect.sources.capture import read_source
from iommu_inspect.sources.tree.opening import open_source
from tools.advice.checks import Counts, faults, faults_of_host, targets_of
from tools.advice.machines import machine
from tools.advice.printed import (
    Printed,
    UnknownCommandError,
    of_boot,
    of_script,
    printed,
)

# With a physical function, VMD, a mirror, a lost fact, an old kernel among them.
SEEDS = (1, 2, 7, 11, 23, 42, 58, 91)


def wrong(found: Machine, most: int) -> list[str]:
    counts = Counts()
    said = list(faults_of_host(found))
    targets = list(targets_of(found))
    for target in targets[:: len(targets) // most + 1]:
        for purpose in (Purpose.VFIO, Purpose.DPDK):
            said += [
                f"{target.text} for {purpose.value}: {fault}"
                for fault in faults(found, target, purpose, counts)
            ]
    assert counts.targets
    return said


@pytest.mark.no_cover
@each("seed", SEEDS)
def test_no_advice_about_a_made_up_machine_is_wrong(seed: int) -> None:
    assert wrong(machine(seed), 12) == []


# What DPDK does without VFIO has no plan yet.
TREES = sorted(p.name for p in SYSFS.iterdir() if p.is_dir() and "dpdk" not in p.name)


@pytest.mark.no_cover
@each("tree", TREES)
def test_no_advice_about_a_fixture_is_wrong(tree: str) -> None:
    assert wrong(read_source(open_source(str(SYSFS / tree))), 6) == []


def test_a_machine_follows_from_its_seed() -> None:
    assert machine(5) == machine(5)
    assert machine(5) != machine(6)


@pytest.mark.parametrize(
    ("line", "step"),
    [
        ("modprobe vfio-pci", Printed("load", driver="vfio-pci")),
        (
            "echo vfio-pci > /sys/bus/pci/devices/0000:01:00.0/driver_override",
            Printed("override", "0000:01:00.0", "vfio-pci"),
        ),
        (
            "echo > /sys/bus/pci/devices/0000:01:00.0/driver_override",
            Printed("override", "0000:01:00.0"),
        ),
        (
            "echo 0000:01:00.0 > /sys/bus/pci/drivers/nvme/unbind",
            Printed("unbind", "0000:01:00.0", "nvme"),
        ),
        (
            "[ ! -e /sys/bus/pci/devices/0000:01:00.0/driver ] || echo 0000:01:00.0 > "
            "/sys/bus/pci/devices/0000:01:00.0/driver/unbind",
            Printed("unbind", "0000:01:00.0"),
        ),
        (
            "driverctl -b platform set-override axi:gpu none",
            Printed("override", "axi:gpu", "none", "platform"),
        ),
    ],
)
def test_a_printed_command_is_read_back(line: str, step: Printed) -> None:
    assert printed([line]) == [step]


@each(
    "line",
    [
        "rm -rf /",
        "echo 1 > /sys/bus/pci/devices/0000:01:00.0/remove",
        "echo 0000:02:00.0 > /sys/bus/pci/devices/0000:01:00.0/driver/unbind",
        "driverctl list-devices",
    ],
)
def test_a_line_that_nobody_knows_is_an_error(line: str) -> None:
    with pytest.raises(UnknownCommandError):
        printed([line])


def test_a_scripts_functions_and_the_settings_for_boot_are_read_back() -> None:
    script = "there() {\n    release pci a:1 nvme\n    bind pci a:1 nvme\n}\n"
    assert of_script(script, "there") == [
        Printed("unbind", "a:1", "nvme"),
        Printed("bind", "a:1", "nvme"),
    ]
    assert of_boot(["options vfio-pci ids=10de:1e04,10de:10f7"]) == (
        {"10de:1e04", "10de:10f7"},
        {},
    )
    line = "install vfio-pci d=/sys/bus/pci/devices/0000:01:00.0; echo none > "
    assert of_boot([f"{line}$d/driver_override; true"]) == (
        set(),
        {"0000:01:00.0": "none"},
    )
