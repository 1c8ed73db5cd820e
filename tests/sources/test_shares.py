"""What a file system or a route stands on where no link says it outright."""

from __future__ import annotations

from pathlib import Path

import pytest
from living import copied, host, mount, on

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.uses.host import UseKind

DEVICES = "sys/devices/pci0000:00"
NET = "sys/devices/virtual/net"


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A host as in the README of the fixtures, to be changed."""
    return copied(tmp_path)


def virtio(tree: Path, driver: str, *slots: str) -> None:
    folder = tree / f"sys/bus/virtio/drivers/{driver}"
    folder.mkdir(parents=True)
    for number, slot in enumerate(slots):
        place = tree / f"{DEVICES}/0000:00:{slot}/virtio{number}"
        place.mkdir(parents=True)
        (folder / f"virtio{number}").symlink_to(
            Path(f"../../../../devices/pci0000:00/0000:00:{slot}/virtio{number}")
        )


def test_a_share_with_the_host_of_a_guest_is_on_its_one_virtio_device(
    tree: Path,
) -> None:
    mount(tree, "50 27 0:80 / /mnt rw - 9p shared rw,trans=virtio")
    assert on(tree, UseKind.FILE_SYSTEM, "/mnt").needs is Missing.ABSENT
    virtio(tree, "9pnet_virtio", "0c.0")
    needs = on(tree, UseKind.FILE_SYSTEM, "/mnt").needs
    assert needs == ((f"{DEVICES}/0000:00:0c.0",),)


def test_several_devices_of_shares_cannot_be_told_apart(tree: Path) -> None:
    mount(tree, "50 27 0:80 / /mnt rw - virtiofs shared rw")
    virtio(tree, "virtiofs", "0c.0", "08.0")
    assert on(tree, UseKind.FILE_SYSTEM, "/mnt").needs is Missing.ABSENT


def test_a_bcachefs_needs_all_its_parts(tree: Path) -> None:
    mount(tree, "51 27 0:81 / /pool rw - bcachefs /dev/sdc1:/dev/nowhere rw")
    assert on(tree, UseKind.FILE_SYSTEM, "/pool").needs is Missing.ABSENT
    mount(tree, "52 27 0:82 / /one rw - bcachefs /dev/sdc1 rw")
    assert on(tree, UseKind.FILE_SYSTEM, "/one").needs == (
        (f"{DEVICES}/0000:00:06.0",),
    )


def test_a_share_of_this_host_itself_is_on_no_device(tree: Path) -> None:
    mount(tree, "53 27 0:83 / /loop rw - nfs4 localhost:/x rw,addr=127.0.0.1")
    mount(tree, "54 27 0:84 / /odd rw - nfs4 nas:/x rw,addr=nonsense")
    assert "/loop" not in {what for use in host(tree).uses for what in use.what}
    assert on(tree, UseKind.FILE_SYSTEM, "/odd").needs is Missing.ABSENT


def test_a_bridge_of_an_older_kernel_is_found_by_its_ports(tree: Path) -> None:
    """Before v3.9 there are no ``lower_`` links."""
    for name in ("lower_bond0", "lower_tap0"):
        (tree / NET / "br0" / name).unlink()
    ports = tree / NET / "br0/brif"
    ports.mkdir()
    for port in ("bond0", "tap0"):
        (ports / port).mkdir()
    for name in ("lower_eth0", "lower_eth1"):
        (tree / NET / "bond0" / name).unlink()
    (tree / NET / "bond0/bonding/slaves").write_text("eth0 eth1\n")
    assert on(tree, UseKind.DEFAULT_ROUTE, "br0").needs == (
        (f"{DEVICES}/0000:00:04.0", f"{DEVICES}/0000:00:05.0"),
    )


def test_the_bridge_of_open_vswitch_is_on_the_ports_of_its_datapath(
    tree: Path,
) -> None:
    for name in ("lower_bond0", "lower_tap0"):
        (tree / NET / "br0" / name).unlink()
    system = tree / NET / "ovs-system"
    system.mkdir()
    (system / "lower_eth3").symlink_to(
        Path("../../../pci0000:00/0000:00:0c.0/net/eth3")
    )
    (tree / "sys/class/net/ovs-system").symlink_to(
        Path("../../devices/virtual/net/ovs-system")
    )
    (tree / NET / "br0/master").symlink_to(Path("../ovs-system"))
    assert on(tree, UseKind.DEFAULT_ROUTE, "br0").needs == (
        (f"{DEVICES}/0000:00:0c.0",),
    )
