"""One reading lists a directory once: two listings could contradict each other."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path

from examples import each
from faults.cases import FaultCase, opened
from faults.failing import FailingTree, Fault, Recorded
from shared import SYSFS
from trees import PCI, tree

from iommu_inspect.model.uses.losses import is_fatal, perhaps_lost
from iommu_inspect.sources.sysfs.machine import read_machine

CARD = "0000:00:02.0"
DISK = f"{PCI}/{CARD}/block/sda"
POOL = "sys/fs/btrfs/u1/devices"


@each("name", ["host-lives-here", "sriov-one-group", "same-name-two-buses"])
def test_no_directory_is_listed_twice(name: str) -> None:
    whole = FailingTree(opened(FaultCase(str(SYSFS / name), live=True)))
    read_machine(whole, processes=True)
    listed = Counter(path for operation, path in whole.made if operation == "names")
    assert listed
    assert set(listed.values()) == {1}


def test_a_pool_whose_disks_cannot_be_listed_may_be_on_any(tmp_path: Path) -> None:
    built = tree(
        tmp_path,
        {
            f"sys/bus/pci/devices/{CARD}": f"->{PCI}/{CARD}",
            f"{PCI}/{CARD}/subsystem": "->sys/bus/pci",
            f"{PCI}/{CARD}/driver": "->sys/bus/pci/drivers/nvme",
            f"{PCI}/{CARD}/class": "0x010802",
            f"{DISK}/dev": "8:0",
            "sys/block/sda": f"->{DISK}",
            "sys/class/block/sda": f"->{DISK}",
            "sys/dev/block/8:0": f"->{DISK}",
            f"{POOL}/sda": f"->{DISK}",
            "proc/1/mountinfo": "22 1 0:20 / / rw shared:1 - btrfs /dev/sda rw\n",
        },
    )
    for number, fatal in ((None, True), (errno.EIO, False)):
        faults = [] if number is None else [Fault(("names", POOL), number)]
        machine = read_machine(FailingTree(Recorded(built, live=True), *faults))
        (card,) = machine.devices
        assert is_fatal(machine, card) is fatal
        assert bool(perhaps_lost(machine, card)) is not fatal
