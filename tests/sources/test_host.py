"""What the host lives on, read from trees: the fixture, and the same with changes."""

from __future__ import annotations

from pathlib import Path

import pytest
from examples import each
from living import copied, host, mount, on
from shared import SHARED, needs_shared

from iommu_inspect.model.fact import Missing
from iommu_inspect.model.uses.host import Host, UseKind
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_live, open_path

ROOT = "sys/devices/pci0000:00/0000:00:{}"
BLOCK = "sys/devices/virtual/block"


SELDOM_CAPTURED = {
    UseKind.DISPLAY,
    UseKind.MEDIATED,
    UseKind.PROCESS,
    UseKind.USB,
    UseKind.THUNDERBOLT,
}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A host as in the README of the fixtures, to be changed."""
    return copied(tmp_path)


def link(place: Path, target: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.symlink_to(target)


def needs(*sets: str) -> tuple[tuple[str, ...], ...]:
    """``"01.0"`` is needed; of ``"02.0 03.0"`` one is."""
    return tuple(tuple(ROOT.format(name) for name in some.split()) for some in sets)


def test_everything_the_host_does_is_found_once(tree: Path) -> None:
    found = [(u.kind.name, u.what, u.needs) for u in host(tree).uses]
    assert found == [
        ("FILE_SYSTEM", ("/", "/var/lib/docker"), needs("01.0")),
        ("FILE_SYSTEM", ("/boot/efi",), needs("01.0")),
        ("FILE_SYSTEM", ("/media/my disk",), needs("06.0")),
        ("FILE_SYSTEM", ("/srv",), needs("02.0 03.0")),
        ("SWAP", ("/dev/dm-2",), needs("01.0")),
        ("DEFAULT_ROUTE", ("br0",), needs("04.0 05.0")),
        ("NETWORK", ("eth2",), needs("08.0")),
        ("CONSOLE", ("ttyS4",), needs("0b.0")),
        ("FRAMEBUFFER", ("BOOTFB", "simpledrm"), needs("0a.0")),
    ]
    # What hangs on its devices was not captured, nor were processes.
    assert {kind for kind, _ in host(tree).untold} == SELDOM_CAPTURED


def test_mounts_of_the_short_table_are_found_by_their_names(tree: Path) -> None:
    (tree / "proc/1/mountinfo").unlink()
    (tree / "proc/mounts").write_text(
        "/dev/mapper/vg-root / ext4 rw 0 0\n/dev/sdc1 /media/x ext4 rw 0 0\n"
        "/dev/root /old ext4 rw 0 0\n/dev/fuse /etc/pve fuse rw 0 0\n"
    )
    assert on(tree, UseKind.FILE_SYSTEM, "/").needs == needs("01.0")
    assert on(tree, UseKind.FILE_SYSTEM, "/media/x").needs == needs("06.0")
    assert on(tree, UseKind.FILE_SYSTEM, "/old").needs is Missing.ABSENT
    assert not [u for u in host(tree).uses if "/etc/pve" in u.what]


def test_without_the_files_of_proc_nothing_is_said_to_be_absent(tree: Path) -> None:
    for file in ("1/mountinfo", "swaps", "net/route", "net/ipv6_route"):
        (tree / "proc" / file).unlink()
    living = {UseKind.FILE_SYSTEM, UseKind.SWAP, UseKind.DEFAULT_ROUTE}
    wanted = dict.fromkeys(living | SELDOM_CAPTURED, Missing.ABSENT)
    assert dict(host(tree).untold) == wanted


def test_routes_of_one_table_do_not_stand_for_those_of_the_other(tree: Path) -> None:
    """Every host has the table of IPv4, and its default route may be in it."""
    (tree / "proc/net/route").unlink()
    (tree / "proc/net/ipv6_route").write_text(
        f"{'0' * 32} 00 {'0' * 32} 00 {'0' * 31}1 400 1 0 3 eno1\n"
    )
    found = host(tree)
    assert dict(found.untold)[UseKind.DEFAULT_ROUTE] is Missing.ABSENT
    assert [u.what for u in found.uses if u.kind is UseKind.DEFAULT_ROUTE]


def test_of_a_host_that_was_mounted_for_us_what_is_of_this_process_is_not_read(
    tree: Path,
) -> None:
    """In a container proc/self and proc/net of it are the container's own."""

    def mounted() -> Host:
        opened = open_path(str(tree))
        opened.hot = True  # as one whose sys/ a running kernel serves
        return read_machine(opened).host

    (tree / "proc/self").mkdir()
    (tree / "proc/1/mountinfo").rename(tree / "proc/self/mountinfo")
    living = {UseKind.FILE_SYSTEM, UseKind.DEFAULT_ROUTE}
    assert living <= set(dict(mounted().untold))
    assert not living & set(dict(host(tree).untold))
    (tree / "proc/self/mountinfo").rename(tree / "proc/1/mountinfo")
    (tree / "proc/net").rename(tree / "proc/1/net")
    assert not living & set(dict(mounted().untold))
    assert mounted().uses == host(copied(tree.parent / "whole")).uses


def test_tables_that_tar_copied_as_empty_tell_nothing(tree: Path) -> None:
    """That is what it makes of files of /proc, whose size is 0."""
    four, six, swaps = (
        tree / "proc" / file for file in ("net/route", "net/ipv6_route", "swaps")
    )
    for file in (four, six, swaps):
        file.write_text("")
    untold = dict(host(tree).untold)
    assert untold[UseKind.DEFAULT_ROUTE] is untold[UseKind.SWAP] is Missing.ABSENT
    swaps.write_text("Filename\tType\tSize\tUsed\tPriority\n")
    six.write_text(f"{'0' * 31}1 80 {'0' * 32} 00 {'0' * 32} 0 2 0 80200001 lo\n")
    assert not {UseKind.DEFAULT_ROUTE, UseKind.SWAP} & set(dict(host(tree).untold))


def test_an_interface_with_a_name_beyond_ascii_carries_its_route(tree: Path) -> None:
    route = tree / "proc/net/route"
    route.write_text(route.read_text().replace("br0", "br\u00fccke"))
    (tree / "sys/class/net/br0").rename(tree / "sys/class/net/br\u00fccke")
    found = on(tree, UseKind.DEFAULT_ROUTE, "br\u00fccke")
    assert found.needs is not Missing.ABSENT


def test_where_a_pool_of_zfs_lies_cannot_be_told(tree: Path) -> None:
    mount(tree, "40 27 0:50 / /tank rw - zfs tank/data rw,xattr")
    mount(tree, "41 27 0:51 / /tank/b rw - zfs tank/data/b rw,xattr")
    use = on(tree, UseKind.FILE_SYSTEM, "/tank")
    assert (use.what, use.needs) == (("/tank", "/tank/b"), Missing.ABSENT)


@pytest.mark.parametrize(
    ("data", "wanted"),
    [("single", needs("02.0", "07.0")), ("raid1", needs("02.0 07.0"))],
)
def test_btrfs_of_two_devices(
    tree: Path, data: str, wanted: tuple[tuple[str, ...], ...]
) -> None:
    place = tree / "sys/fs/btrfs/u-u-i-d"
    for name in ("sda", "nvme1n1"):
        link(place / "devices" / name, tree / "sys/class/block" / name)
    for kind, profile in (("data", data), ("metadata", "raid1"), ("system", "raid1")):
        (place / "allocation" / kind / profile).mkdir(parents=True)
    mount(tree, "40 27 0:50 / /data rw - btrfs /dev/nvme1n1 rw")
    assert on(tree, UseKind.FILE_SYSTEM, "/data").needs == wanted
    assert len([u for u in host(tree).uses if "btrfs" in " ".join(u.what)]) == 0


def test_a_mount_of_another_namespace_shows_in_sys_fs(tree: Path) -> None:
    (tree / "sys/fs/ext4/nvme1n1").mkdir(parents=True)
    (tree / "sys/fs/ext4/dm-1").mkdir()  # the root, known already
    (tree / "sys/fs/ext4/features").mkdir()
    found = [u for u in host(tree).uses if u.what == ("ext4 on nvme1n1",)]
    assert [u.needs for u in found] == [needs("07.0")]
    assert not [u for u in host(tree).uses if "dm-1" in u.what[0]]


def test_a_mirror_that_lost_a_disk_needs_the_other(tree: Path) -> None:
    (tree / BLOCK / "md0/md/degraded").write_text("1\n")
    (tree / BLOCK / "md0/slaves/sda").unlink()
    assert on(tree, UseKind.FILE_SYSTEM, "/srv").needs == needs("03.0")


def test_a_stripe_needs_both_disks(tree: Path) -> None:
    (tree / BLOCK / "md0/md/level").write_text("raid0\n")
    assert on(tree, UseKind.FILE_SYSTEM, "/srv").needs == needs("02.0", "03.0")


def test_a_device_mapper_multipath_needs_one_path(tree: Path) -> None:
    (tree / BLOCK / "dm-2/dm/uuid").write_text("mpath-3600\n")
    for name in ("dm-0", "sda", "sdb"):
        (tree / BLOCK / "dm-2/slaves" / name).unlink(missing_ok=True)
    for name in ("sda", "sdb"):
        link(tree / BLOCK / "dm-2/slaves" / name, tree / "sys/class/block" / name)
    assert on(tree, UseKind.SWAP, "/dev/dm-2").needs == needs("02.0 03.0")


def test_nvme_with_two_controllers_needs_one(tree: Path) -> None:
    subsystem = tree / "sys/devices/virtual/nvme-subsystem/nvme-subsys0"
    (subsystem / "nvme9n1").mkdir(parents=True)
    for name, slot in (("nvme0", "01.0"), ("nvme1", "07.0")):
        link(subsystem / name, tree / ROOT.format(slot) / "nvme" / name)
    link(tree / "sys/class/block/nvme9n1", subsystem / "nvme9n1")
    link(tree / "sys/dev/block/259:9", subsystem / "nvme9n1")
    # The fixture's links are relative; the roots of these are outside the tree.
    mount(tree, "40 27 259:9 / /data rw - xfs /dev/nvme9n1 rw")
    for place in tree.rglob("*"):
        if place.is_symlink() and place.readlink().is_absolute():
            inside = place.readlink().relative_to(tree)
            place.unlink()
            place.symlink_to(f"/{inside}")
    assert on(tree, UseKind.FILE_SYSTEM, "/data").needs == needs("01.0 07.0")


def test_swap_in_a_file_is_where_its_file_system_is(tree: Path) -> None:
    (tree / "proc/swaps").write_text("Filename Type\n/srv/swap file 1 0 -2\n")
    assert on(tree, UseKind.SWAP, "/srv/swap").needs == needs("02.0 03.0")


def test_a_share_of_the_network_is_on_the_interface_that_leads_there(
    tree: Path,
) -> None:
    mount(tree, "40 27 0:60 / /home rw - nfs4 nas:/home rw,addr=198.51.100.7")
    mount(tree, "41 27 0:61 / /far rw - nfs4 nas:/far rw,addr=203.0.113.9")
    mount(tree, "42 27 0:62 / /six rw - nfs4 nas:/six rw,addr=2001:db8::1")
    assert on(tree, UseKind.FILE_SYSTEM, "/home").needs == needs("08.0")
    assert on(tree, UseKind.FILE_SYSTEM, "/far").needs == needs("04.0 05.0")
    assert on(tree, UseKind.FILE_SYSTEM, "/six").needs is Missing.ABSENT


@each("options", ["rw,lowerdir=/var/x,upperdir=/var/y", "rw"])
def test_a_root_laid_over_what_cannot_be_seen_is_not_told(
    tree: Path, options: str
) -> None:
    (tree / "proc/1/mountinfo").write_text(
        f"1 0 0:70 / / rw - overlay overlay {options}\n"
    )
    assert on(tree, UseKind.FILE_SYSTEM, "/").needs is Missing.ABSENT


def test_a_live_medium_is_found_below_the_overlay(tree: Path) -> None:
    (tree / "proc/1/mountinfo").write_text(
        "1 0 0:70 / / rw - overlay overlay rw,lowerdir=/run/m/fs,upperdir=/run/rw/u\n"
        "2 1 0:71 / /run/rw rw - tmpfs tmpfs rw\n"
        "3 1 8:33 / /run/m rw - iso9660 /dev/sdc1 rw\n"
    )
    assert [u.what for u in host(tree).uses if u.kind is UseKind.FILE_SYSTEM] == [
        ("/run/m",)
    ]


def test_a_default_route_through_what_is_on_no_device_is_not_told(tree: Path) -> None:
    route = tree / "proc/net/route"
    route.write_text(route.read_text().replace("br0", "tap0"))
    assert on(tree, UseKind.DEFAULT_ROUTE, "tap0").needs is Missing.ABSENT


def test_a_loop_of_slaves_ends(tree: Path) -> None:
    link(tree / BLOCK / "dm-0/slaves/dm-1", Path("../../dm-1"))
    assert on(tree, UseKind.FILE_SYSTEM, "/").needs is Missing.UNREADABLE


@needs_shared
@pytest.mark.parametrize(
    ("capture", "root"),
    [
        ("2pa-pcidomain32bits", "pci10000:00/10000:00:04.0"),
        ("32em64t-2n8c+dax+nvme+mic+dimms", "pci0000:00/0000:00:1f.2"),
        ("40intel64-2g2n4c+pcilocality", "pci0000:00/0000:00:03.0/0000:01:00.0"),
    ],
)
def test_the_root_disk_of_real_machines(capture: str, root: str) -> None:
    path = SHARED / "hwloc" / f"{capture}.tar.bz2"
    assert on(path, UseKind.FILE_SYSTEM, "/").needs == ((f"sys/devices/{root}",),)


def test_this_host_says_what_it_lives_on() -> None:
    """Whatever that is; /proc/1/mountinfo and the routes are there for everybody."""
    kinds = dict(read_machine(open_live()).host.untold)
    assert UseKind.FILE_SYSTEM not in kinds
