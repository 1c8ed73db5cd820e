"""Cutting a capture down leaves all that the tool reads of it."""

from __future__ import annotations

from pathlib import Path

from examples import each
from shared import SYSFS

from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path
from tools.trim import trim

# With a number for user space, and with a directory that holds none.
NODES = ("device-facts", "dpdk-drivers")


@each("name", NODES)
def test_what_vfio_shows_of_a_device_is_kept(name: str, tmp_path: Path) -> None:
    whole, out = SYSFS / name, tmp_path / name
    trim(str(whole), out)
    told = [d.vfio_cdev for d in read_machine(open_path(str(whole))).devices]
    assert {True, False} & {fact for fact in told if isinstance(fact, bool)}
    assert [d.vfio_cdev for d in read_machine(open_path(str(out))).devices] == told
