"""What disks, file systems and interfaces stand on, in trees of a few files."""

from __future__ import annotations

from pathlib import Path

from examples import each
from trees import ONE, PCI, TWO, UNREADABLE, Spec, tree

from iommu_inspect.model.device import Device
from iommu_inspect.model.fact import Fact, Missing
from iommu_inspect.model.identity import DeviceId
from iommu_inspect.model.uses.host import HostUse, UseKind
from iommu_inspect.sources.host.block import Blocks
from iommu_inspect.sources.host.file_systems import FileSystems
from iommu_inspect.sources.host.mounts import Mount, Route
from iommu_inspect.sources.host.needs import Needs, locator
from iommu_inspect.sources.host.network import Interfaces
from iommu_inspect.sources.host.uses import read_host
from iommu_inspect.sources.tree.tree import Tree

UNKNOWN = f"{PCI}/0000:00:1f.0"
VIRTUAL = "sys/devices/virtual"
LOCATE = locator((ONE, TWO))


DISKS: Spec = {
    "sys/class/block/sda": f"->{ONE}/block/sda",
    "sys/class/block/sdb": f"->{TWO}/block/sdb",
    f"{ONE}/block/sda/dev": "8:0\n",
    f"{TWO}/block/sdb/dev": "8:16\n",
}
MD0 = f"{VIRTUAL}/block/md0"
MIRROR: Spec = {
    **DISKS,
    "sys/class/block/md0": f"->{MD0}",
    "sys/block/md0": f"->{MD0}",
    f"{MD0}/slaves/sda": f"->{ONE}/block/sda",
    f"{MD0}/slaves/sdb": f"->{TWO}/block/sdb",
    f"{MD0}/md/raid_disks": "2\n",
    f"{MD0}/md/degraded": "0\n",
    f"{MD0}/md/level": "raid1\n",
}
EITHER, BOTH = ((ONE, TWO),), ((ONE,), (TWO,))


@each(
    "name, spec, wanted",
    [
        ("sda", DISKS, ((ONE,),)),
        ("sdz", DISKS, Missing.ABSENT),
        # Its controller is on a PCI function that is not among the devices.
        ("x", {"sys/class/block/x": f"->{UNKNOWN}/block/x"}, Missing.ABSENT),
        # iSCSI: the disk is at the far end of a network.
        ("x", {"sys/class/block/x": "->sys/devices/x/session1/x"}, Missing.ABSENT),
        # On the board itself: nothing that could be handed over.
        ("x", {"sys/class/block/x": "->sys/devices/platform/mmc/x"}, ()),
        ("x", {"sys/class/block/x": f"->{VIRTUAL}/block/nbd0"}, Missing.ABSENT),
        ("md0", MIRROR, EITHER),
        ("md0", {**MIRROR, f"{MD0}/md/degraded": "1\n"}, BOTH),
        # What is lost is not told: nor what is needed.
        ("md0", {**MIRROR, f"{MD0}/md/degraded": "none\n"}, Missing.UNREADABLE),
        ("md0", {**MIRROR, f"{MD0}/md/degraded": UNREADABLE}, Missing.UNREADABLE),
        ("md0", {**MIRROR, f"{MD0}/md/raid_disks": "many\n"}, Missing.UNREADABLE),
        ("md0", {**MIRROR, f"{MD0}/md/raid_disks": "9" * 5000}, Missing.UNREADABLE),
        ("md0", {**MIRROR, f"{MD0}/md/degraded": "9" * 5000}, Missing.UNREADABLE),
    ],
)  # fmt: skip
def test_a_block_device_stands_on_a_device_or_it_is_said_why_not(
    tmp_path: Path, name: str, spec: Spec, wanted: Fact[Needs]
) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    assert Blocks(tree(root, spec), LOCATE).needs(name) == wanted


BTRFS: Spec = {
    **DISKS,
    "sys/fs/btrfs/features/": "",
    "sys/fs/btrfs/u-1/devices/sda": f"->{ONE}/block/sda",
    "sys/fs/btrfs/u-1/devices/sdb": f"->{TWO}/block/sdb",
    "sys/fs/btrfs/u-1/allocation/data/raid1/": "",
    "sys/fs/btrfs/u-1/allocation/data/total_bytes": "4096\n",
}


@each(
    "spec, wanted",
    [
        (BTRFS, EITHER),
        ({**BTRFS, "sys/fs/btrfs/u-1/allocation/system/single/": ""}, BOTH),
        # Another file system's list comes first; the disk is in none.
        ({**DISKS, "sys/fs/btrfs/u-0/devices/sdb": f"->{TWO}/block/sdb"}, ((ONE,),)),
        ({**DISKS, "sys/fs/btrfs": UNREADABLE}, Missing.UNREADABLE),
        ({**DISKS, "sys/fs/btrfs/u-1/devices": UNREADABLE}, Missing.UNREADABLE),
    ],
)
def test_a_btrfs_stands_on_all_its_devices_unless_its_list_cannot_be_read(
    tmp_path: Path, spec: Spec, wanted: Fact[Needs]
) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    assert Blocks(tree(root, spec), LOCATE).btrfs("sda") == wanted


def test_a_block_device_is_found_by_number_and_by_name_where_those_are_told(
    tmp_path: Path,
) -> None:
    dm0, dm1 = (f"{VIRTUAL}/block/dm-{n}" for n in (0, 1))
    found = {
        **DISKS,
        "sys/class/block/dm-0": f"->{dm0}",
        "sys/class/block/dm-1": f"->{dm1}",
        f"{dm0}/size": "1\n",  # neither its number nor its name was captured
        f"{dm1}/dm/name": "vg-root\n",
        f"{dm1}/dev": "254:1\n",
    }
    blocks = Blocks(tree(tmp_path, found), LOCATE)
    assert [blocks.by_number(n) for n in ("8:16", "254:1", "254:0")] == [
        "sdb",
        "dm-1",
        None,
    ]
    assert blocks.by_source("/dev/mapper/vg-root") == "dm-1"
    assert blocks.by_source("/dev/mapper/vg-swap") is None
    assert blocks.by_source("tmpfs") is None


NET = "sys/class/net"
ETH: Spec = {f"{NET}/eth0": f"->{ONE}/net/eth0", f"{NET}/eth1": f"->{TWO}/net/eth1"}


def virtual(name: str, files: Spec) -> Spec:
    """Return ETH and an interface that is on no device, with these files."""
    place = f"{VIRTUAL}/net/{name}"
    below = {f"{place}/{file}": what for file, what in files.items()}
    return {**ETH, f"{NET}/{name}": f"->{place}", f"{place}/mtu": "1500\n", **below}


OVS = f"{VIRTUAL}/net/ovs-system"


def datapath(files: Spec) -> Spec:
    """Return the same beside a datapath of Open vSwitch that has eth1."""
    system = {f"{NET}/ovs-system": f"->{OVS}", f"{OVS}/lower_eth1": f"->{TWO}/net/eth1"}
    return {**virtual("v", files), **system}


@each(
    "name, spec, wanted",
    [
        ("eth0", ETH, ((ONE,),)),
        ("eth9", ETH, Missing.ABSENT),
        ("eth0", {f"{NET}/eth0": f"->{UNKNOWN}/net/eth0"}, Missing.ABSENT),
        ("end0", {f"{NET}/end0": "->sys/devices/platform/soc/net/end0"}, ()),
        ("v", virtual("v", {}), Missing.ABSENT),
        ("v", virtual("v", {"lower_eth0": f"->{ONE}/net/eth0"}), ((ONE,),)),
        # Older kernels have no lower_ links; bridges and bonds have their own lists.
        ("v", virtual("v", {"brif/eth0": "", "brif/eth1": ""}), BOTH),
        ("v", virtual("v", {"brif": UNREADABLE}), Missing.UNREADABLE),
        ("v", virtual("v", {"brif/": ""}), Missing.ABSENT),
        ("v", virtual("v", {"bonding/slaves": "eth0 eth1\n"}), EITHER),
        ("v", virtual("v", {"bonding/slaves": ""}), Missing.ABSENT),
        ("v", virtual("v", {"bonding/slaves": UNREADABLE}), Missing.UNREADABLE),
        ("v", virtual("v", {"lower_v": f"->{VIRTUAL}/net/v"}), Missing.ABSENT),
        ("v", virtual("v", {"master": UNREADABLE}), Missing.UNREADABLE),
        ("v", virtual("v", {"master": f"->{VIRTUAL}/net/br0"}), Missing.ABSENT),
        # A bridge of Open vSwitch is a port of the datapath that has the others.
        (
            "v",
            {
                **virtual("v", {"master": f"->{OVS}"}),
                f"{NET}/ovs-system": f"->{OVS}",
                f"{OVS}/lower_eth1": f"->{TWO}/net/eth1",
            },
            ((TWO,),),
        ),
        # One that the kernel made for Open vSwitch has no link to its datapath.
        ("v", datapath({"ifindex": "9\n"}), ((TWO,),)),
        ("v", datapath({"type": "1\n", "uevent": "INTERFACE=v\n"}), ((TWO,),)),
        ("v", datapath({"type": "65534\n"}), Missing.ABSENT),
        ("v", datapath({"tun_flags": "0x1002\n"}), Missing.ABSENT),
        ("v", datapath({"uevent": "DEVTYPE=vxlan\n"}), Missing.ABSENT),
        ("v", datapath({"bridge/": ""}), Missing.ABSENT),
        ("v", datapath({"master": UNREADABLE}), Missing.UNREADABLE),
        ("ovs-system", {**ETH, f"{NET}/ovs-system": f"->{OVS}"}, Missing.ABSENT),
        # Above others: a VLAN or macvlan on a bond, a bridge on the VLAN.
        (
            "br9",
            {
                **virtual("v", {"bonding/slaves": "eth0 eth1\n"}),
                **virtual("vlan5", {"lower_v": f"->{VIRTUAL}/net/v"}),
                **virtual("br9", {"lower_vlan5": f"->{VIRTUAL}/net/vlan5"}),
            },
            EITHER,
        ),
        # A bond without a port below a VLAN: nobody can say what it was on.
        (
            "vlan5",
            {
                **virtual("v", {"bonding/slaves": ""}),
                **virtual("vlan5", {"lower_v": f"->{VIRTUAL}/net/v"}),
            },
            Missing.ABSENT,
        ),
        ("v", {**ETH, f"{NET}/v": f"->{VIRTUAL}/net/v"}, Missing.ABSENT),
    ],
)
def test_an_interface_stands_on_a_device_or_it_is_said_why_not(
    tmp_path: Path, name: str, spec: Spec, wanted: Fact[Needs]
) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    assert Interfaces(tree(root, spec), LOCATE).needs(name) == wanted


@each(
    "spec, wanted",
    [
        (virtual("v", {}), (ONE, TWO)),
        ({**ETH, f"{NET}/bonding_masters": "bond0\n"}, (ONE, TWO)),
        ({**ETH, f"{NET}/eth2": UNREADABLE}, Missing.UNREADABLE),
        ({}, Missing.ABSENT),
    ],
)
def test_the_devices_that_carry_interfaces_are_told_whole_or_not_at_all(
    tmp_path: Path, spec: Spec, wanted: Fact[tuple[str, ...]]
) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    assert Interfaces(tree(root, spec), LOCATE).carriers == wanted


def file_systems(host: Tree, *mounts: Mount) -> FileSystems:
    return FileSystems(
        host,
        mounts,
        locate=LOCATE,
        blocks=Blocks(host, LOCATE),
        interfaces=Interfaces(host, LOCATE),
        routes=(Route("eth1", 0xC0000200, 24, 32), Route("eth0", 0, 0, 32)),
    )


def drivers(name: str, *places: str) -> Spec:
    at = f"sys/bus/virtio/drivers/{name}"
    return {f"{at}/virtio{n}": f"->{place}/virtio" for n, place in enumerate(places)}


@each(
    "mount, spec, wanted",
    [
        # A share of the hypervisor's: told if one device can be it.
        (Mount("/m", "9p", "tag", ""), drivers("9pnet_virtio", ONE), ((ONE,),)),
        (Mount("/m", "virtiofs", "tag", ""), drivers("virtiofs", TWO), ((TWO,),)),
        (
            Mount("/m", "9p", "tag", ""),
            drivers("9pnet_virtio", ONE, TWO),
            Missing.ABSENT,
        ),
        (Mount("/m", "9p", "tag", ""), {}, Missing.ABSENT),
        (
            Mount("/m", "9p", "tag", ""),
            {"sys/bus/virtio/drivers/9pnet_virtio/virtio0": UNREADABLE},
            Missing.UNREADABLE,
        ),
        (Mount("/m", "bcachefs", "/dev/sda:/dev/sdb", ""), DISKS, BOTH),
        (Mount("/m", "bcachefs", "/dev/sda:/dev/sdz", ""), DISKS, Missing.ABSENT),
        # The number is that of no device here, and the name is known.
        (Mount("/m", "ext4", "/dev/sda", "", "9:9"), DISKS, ((ONE,),)),
        (Mount("/m", "ext4", "/dev/sdz", "", "9:9"), DISKS, Missing.ABSENT),
        # On a disk, as the number says, whatever it is called.
        (Mount("/m", "ext4", "rootfs", "", "9:9"), DISKS, Missing.ABSENT),
        (Mount("/m", "nfs", "n:/", "ro,addr=192.0.2.7"), ETH, ((TWO,),)),
        (Mount("/m", "nfs", "n:/", "addr=name,addr=198.51.100.1"), ETH, ((ONE,),)),
        (Mount("/m", "nfs", "n:/", "addr=127.0.0.1"), ETH, ()),
        (Mount("/m", "nfs", "n:/", "addr=2001:db8::1"), ETH, Missing.ABSENT),
        (Mount("/m", "nfs", "n:/", "ro"), ETH, Missing.ABSENT),
    ],
)  # fmt: skip
def test_a_file_system_stands_on_a_device_or_it_is_said_why_not(
    tmp_path: Path, mount: Mount, spec: Spec, wanted: Fact[Needs]
) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    (use,) = file_systems(tree(root, spec), mount).uses()
    assert (use.what, use.needs) == (("/m",), wanted)


def test_a_swap_file_is_where_its_file_system_is_if_that_is_seen(
    tmp_path: Path,
) -> None:
    host = tree(tmp_path, DISKS)
    mounts = (Mount("/srv", "ext4", "/dev/sda", ""), Mount("/run", "tmpfs", "x", ""))
    swaps = [(name, False) for name in ("/srv/swap", "/run/swap", "/swap")]
    found = file_systems(host, *mounts).swaps(swaps)
    assert [use.needs for use in found] == [((ONE,),), Missing.ABSENT, Missing.ABSENT]


@each(
    "mounts, wanted",
    [
        ((), [("btrfs on sda", EITHER)]),
        ((Mount("/m", "btrfs", "/dev/sdb", ""),), [("/m", EITHER)]),
        (
            (Mount("/m", "ext4", "/dev/sdc", ""),),
            [("/m", Missing.ABSENT), ("btrfs on sda", EITHER)],
        ),
    ],
)
def test_a_btrfs_of_another_mount_namespace_is_said_once(
    tmp_path: Path, mounts: tuple[Mount, ...], wanted: list[tuple[str, Fact[Needs]]]
) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    found = file_systems(tree(root, BTRFS), *mounts).uses()
    assert [(use.what[0], use.needs) for use in found] == wanted


DEVICES = [
    Device(DeviceId(path.rpartition("/")[2], "pci"), path=path) for path in (ONE, TWO)
]


def uses(host: Tree, kind: UseKind) -> list[HostUse]:
    return [use for use in read_host(host, DEVICES).uses if use.kind is kind]


def test_a_framebuffer_and_a_console_are_on_the_device_that_is_told(
    tmp_path: Path,
) -> None:
    iomem = (
        "000a0000-000bffff : PCI Bus 0000:00\n"
        "  000a0000-000bffff : efifb\n"  # of no function
        "80000000-8fffffff : 0000:00:02.0\n"
        "  80000000-803fffff : BOOTFB\n"
        "90000000-9fffffff : 0000:00:1f.0\n"
        "  90000000-903fffff : simpledrm\n"  # of one that is not seen
    )
    platform = "sys/bus/platform/devices"
    host = tree(
        tmp_path,
        {
            "proc/iomem": iomem,
            f"{platform}/simple-framebuffer.0": f"->{ONE}/simple-framebuffer.0",
            f"{platform}/efi-framebuffer.0": "->sys/devices/platform/efi-fb.0",
            f"{platform}/serial8250": "->sys/devices/platform/serial8250",
            "sys/class/tty/console/active": "tty0 ttyS0 ttyS1\n",
            "sys/class/tty/ttyS0": f"->{TWO}/tty/ttyS0",
            "sys/class/tty/ttyS1": "->sys/devices/platform/serial8250/tty/ttyS1",
        },
    )
    found = uses(host, UseKind.FRAMEBUFFER)
    assert [(use.what, use.needs) for use in found] == [
        (("BOOTFB",), ((TWO,),)),
        (("simple-framebuffer.0",), ((ONE,),)),
    ]
    (console,) = uses(host, UseKind.CONSOLE)
    assert (console.what, console.needs) == (("ttyS0",), ((TWO,),))


def test_a_table_of_mounts_that_is_empty_is_passed_over(tmp_path: Path) -> None:
    mounts = "/dev/sda / ext4 rw 0 0\n"
    host = tree(
        tmp_path, {**DISKS, "proc/1/mountinfo": "nonsense\n", "proc/mounts": mounts}
    )
    (use,) = uses(host, UseKind.FILE_SYSTEM)
    assert (use.what, use.needs) == (("/",), ((ONE,),))


NIC = f"{ONE}/net/eno1"
BOND: Spec = {
    "sys/class/net/eno1": f"->{NIC}",
    "sys/class/net/eno2": f"->{TWO}/net/eno2",
    "sys/class/net/bonding_masters": "bond0\n",
    "sys/class/net/bond0": f"->{VIRTUAL}/net/bond0",
    f"{VIRTUAL}/net/bond0/bonding/slaves": "eno1 eno2\n",
    "sys/class/net/lo": f"->{VIRTUAL}/net/lo",
    f"{VIRTUAL}/net/lo/": "",
    f"{NIC}/": "",
    f"{TWO}/net/eno2/": "",
}


@each(
    "spec, wanted",
    [
        (
            {**MIRROR, **BOND},
            {
                "sda": (ONE,),
                "sdb": (TWO,),
                "md0": (ONE, TWO),
                "eno1": (ONE,),
                "eno2": (TWO,),
                "bond0": (ONE, TWO),
                "lo": Missing.ABSENT,
            },
        ),
        # Only whole disks are listed, and their partitions below them.
        (
            {"sys/block/sda": f"->{ONE}/block/sda", f"{ONE}/block/sda/sda1/": ""},
            {"sda": (ONE,), "sda1": (ONE,)},
        ),
        # Behind a function that is not among the devices.
        ({"sys/class/block/x": f"->{UNKNOWN}/block/x"}, {"x": Missing.ABSENT}),
        # One name for a disk and an interface names neither.
        (
            {
                "sys/class/block/x": f"->{ONE}/block/x",
                "sys/class/net/x": f"->{TWO}/net/x",
            },
            {"x": Missing.UNREADABLE},
        ),
    ],
)
def test_names_of_interfaces_and_disks_lead_to_all_that_they_stand_on(
    tmp_path: Path, spec: Spec, wanted: dict[str, Fact[tuple[str, ...]]]
) -> None:
    root = tmp_path / str(len(list(tmp_path.iterdir())))
    found = read_host(tree(root, spec), DEVICES).nodes
    assert isinstance(found, tuple)
    assert dict(found) == wanted


def test_a_tree_without_interfaces_and_disks_tells_no_names(tmp_path: Path) -> None:
    assert read_host(tree(tmp_path, {}), DEVICES).nodes is Missing.ABSENT
