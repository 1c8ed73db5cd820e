"""What a snapshot must not hold, planted where people have it and looked for."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from ipaddress import IPv4Address, ip_address
from pathlib import Path

from examples import each
from shared import SYSFS
from snapshots import members, opened, snapshot

from iommu_inspect.model.uses.host import UseKind
from iommu_inspect.sources.snapshot.redaction.command_line import command_line
from iommu_inspect.sources.snapshot.redaction.config_space import without_serial
from iommu_inspect.sources.snapshot.redaction.names import Names
from iommu_inspect.sources.snapshot.redaction.pseudonyms import Pseudonyms
from iommu_inspect.sources.snapshot.redaction.routes import Addresses
from iommu_inspect.sources.snapshot.redaction.secrets import Words
from iommu_inspect.sources.snapshot.redaction.settings import modprobe, module_list
from iommu_inspect.sources.sysfs.machine import read_machine
from iommu_inspect.sources.tree.opening import open_path
from iommu_inspect.sources.tree.tree import Tree

HOST, USER, LABEL = "zaphod", "lovelace", "Holiday Pictures"
ESCAPED = LABEL.replace(" ", "\\040")
UUID, SHORT_ID = "3f2504e0-4f89-41d3-9a0c-0305e82c3301", "1A2B-3C4D"
MAC, MAC_IN_NAME = "52:54:00:ab:cd:ef", "enx525400abcdef"
SERIAL, VOLUME = "S3R1AL9X77", "acme-corp"
ADDRESS, ADDRESS6 = "10.20.30.40", "2a02:908:1234::7"
SECRETS = (
    *(HOST, USER, LABEL, ESCAPED, UUID, SHORT_ID, MAC),
    *(MAC_IN_NAME, MAC.replace(":", "-"), MAC.replace(":", ""), SERIAL, VOLUME),
    *("secretshare", ADDRESS, ADDRESS6, "0A141E", "281E140A", "2a020908", "hunter2"),
    *("Holiday", "diary", "wan-of-ada", "DE:AD"),
)
DEVICE = "sys/devices/pci0000:00/0000:00:01.0"


def serial_number() -> bytes:
    """Return a capability that holds the MAC address, as those of cards do."""
    eui = bytes.fromhex("525400fffeabcdef")[::-1]
    return (0x0003 | 1 << 16).to_bytes(4, "little") + eui


def planted(tmp_path: Path) -> Path:
    """Return a host that has its owner's names everywhere that the tool looks."""
    root = Path(shutil.copytree(SYSFS / "host-lives-here", tmp_path, symlinks=True))

    def write(path: str, text: str | bytes) -> None:
        file = root / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(text.encode() if isinstance(text, str) else text)

    write("proc/sys/kernel/hostname", f"{HOST}.example.org\n")
    write("etc/hostname", f"{HOST}\n")
    write(
        "etc/passwd",
        f"root:x:0:0::/root:/bin/sh\nnone:x:{'9' * 5000}:0:::\n"
        f"{USER}:x:1000:1000::/home/x:\n",
    )
    write("etc/os-release", f"ID=debian\nNAME={HOST}\nHOME_URL=http://{HOST}/\n")
    write(
        "proc/cmdline",
        f"BOOT_IMAGE=(hd0)/{USER}/vmlinuz root=UUID={UUID} resume=LABEL={LABEL[:7]} "
        f"rd.lvm.lv={VOLUME}/root cryptdevice=/dev/disk/by-id/{SERIAL}:{VOLUME} "
        f"ip={ADDRESS}::{ADDRESS}:255.255.255.0:{HOST}:eth0:none ifname=lan0:{MAC} "
        f"systemd.hostname={HOST} my.password=hunter2 {HOST} intel_iommu=on "
        f'note="a {LABEL}" vfio-pci.ids=8086:10d3 rd.luks.uuid=luks-{UUID} '
        f"systemd.machine_id={UUID.replace('-', '')} -- {USER} DE:AD\n",
    )
    with (root / "proc/1/mountinfo").open("a") as file:
        file.write(
            f"90 1 8:33 /@/{USER} /home/{USER}/{ESCAPED} rw "
            f"- ext4 /dev/disk/by-uuid/{SHORT_ID} rw,x={SERIAL}\n"
            f"91 1 0:90 / /mnt/{HOST} rw - nfs4 {HOST}:/secretshare "
            f"rw,addr={ADDRESS},clientaddr={ADDRESS}\n"
            f"92 1 0:91 / /tank rw - zfs {VOLUME}/{USER} rw\n"
            f"93 1 0:92 / /s rw - cifs //{HOST}/secretshare rw,username={USER},"
            f"addr={ADDRESS6}\n"
        )
    with (root / "proc/swaps").open("a") as file:
        file.write(f"/home/{USER}/swap file 1 0 -2\n")
        file.write(f"/dev/mapper/{VOLUME} partition 1 0 -2\n")
    write(
        "proc/net/ipv6_route",
        f"{int(ip_address('2a02:908:1234::')):032x} 30 {0:032x} 00 "
        f"{int(ip_address(ADDRESS6)):032x} 00000400 00000001 00000000 00000001 eth2\n"
        f"fe80000000000000525400fffeabcdef 80 {0:032x} 00 {0:032x} 00000000 00000001 "
        f"00000000 80200001 eth0\n",
    )
    with (root / "proc/net/route").open("a") as file:
        for network, mask in (("00141E0A", "00FFFFFF"), ("281E140A", "FFFFFFFF")):
            file.write(f"eth2\t{network}\t{network}\t0001\t0\t0\t0\t{mask}\t0\t0\t0\n")
        file.write("eth0\t001E140A\t281E140A\t0003\t0\t0\t0\t00FFFFFF\t0\t0\t0\n")
    net = "sys/devices/pci0000:00/0000:00:08.0/net"
    for name in (MAC_IN_NAME, "wan-of-ada"):
        write(f"{net}/{name}/type", "1\n")
        write(f"{net}/{name}/address", MAC)
        write(f"{net}/{name}/uevent", f"INTERFACE={name}\nDEVTYPE=wlan\n")
        (root / "sys/class/net" / name).symlink_to(
            f"../../devices/pci0000:00/0000:00:08.0/net/{name}"
        )
    for number, dm in enumerate((f"{VOLUME}-root", f"luks-{UUID}"), 7):
        block = f"sys/devices/virtual/block/dm-{number}"
        write(f"{block}/dm/name", f"{dm}\n")
        write(f"{block}/dm/uuid", f"mpath-{SERIAL}\n")
        write(f"{block}/slaves/.keep", "")
        (root / f"sys/class/block/dm-{number}").symlink_to(
            f"../../devices/virtual/block/dm-{number}"
        )
    write(f"sys/fs/btrfs/{UUID}/devices/sda", "")
    write(f"sys/fs/btrfs/{UUID}/label", LABEL)
    write("sys/hypervisor/uuid", UUID)
    write("sys/hypervisor/type", "xen\n")
    write("sys/class/dmi/id/product_serial", SERIAL)
    write("sys/class/dmi/id/sys_vendor", "ACME\n")
    write(f"{DEVICE}/config", bytes(256) + serial_number())
    write(f"{DEVICE}/vpd", SERIAL)
    write(
        "etc/modprobe.d/vfio.conf",
        f"# {USER} wrote this for {HOST}\noptions vfio-pci ids=8086:10d3\n"
        f"options g_ether dev_addr={MAC} iSerialNumber={SERIAL} product={USER}\n"
        f"install foo /home/{USER}/bin/run hunter2\n{HOST} is a line\n",
    )
    write(f"etc/modprobe.d/{HOST}.conf", "blacklist nouveau\n")
    write("etc/modules", f"# by {USER}\nvfio-pci x={SERIAL}\n{HOST}.{USER} y\n")
    write("etc/mkinitcpio.conf", f'MODULES=(vfio) # {USER}\nPASS="hunter2"\n')
    write(
        "proc/driver/nvidia/gpus/0000:01:00.0/information",
        f"GPU UUID: GPU-{UUID}\nDevice Minor: 0\n",
    )
    write("proc/cpuinfo", f"vendor_id : GenuineIntel\nSerial : {SERIAL}\n")
    write("proc/1/comm", "systemd\n")
    write("proc/50/comm", "diary\n")
    for number, where in enumerate((f"/home/{USER}/{LABEL}", "/dev/nvme0n1")):
        (root / "proc/50/fd").mkdir(exist_ok=True)
        (root / f"proc/50/fd/{number}").symlink_to(where)
    write("sys/bus/thunderbolt/devices/0-0/uevent", "")
    return root


@each("level", ["default", "strict"])
def test_what_was_planted_is_in_no_member(tmp_path: Path, level: str) -> None:
    tar = snapshot(open_path(str(planted(tmp_path / level))), level)
    for name, content in members(tar).items():
        for secret in SECRETS:
            for text in (secret, secret.lower(), secret.upper()):
                assert text not in name
                assert text.encode() not in content, (name, secret)
        assert bytes.fromhex("525400fffeabcdef")[::-1] not in content
    assert snapshot(opened(tar), level) == tar


def test_without_scrubbing_it_is_there(tmp_path: Path) -> None:
    """Else the test before this one would prove nothing."""
    tar = snapshot(open_path(str(planted(tmp_path / "host"))), "none")
    whole = b"".join(name.encode() + content for name, content in members(tar).items())
    missing = {secret for secret in SECRETS if secret.encode() not in whole}
    # In files that no command reads, or written in other ways.
    assert missing <= {LABEL, "0A141E", MAC.replace(":", "-"), "525400abcdef", ADDRESS6}


@each("level", ["default", "strict"])
def test_names_that_stand_for_others_change_no_use(tmp_path: Path, level: str) -> None:
    source = open_path(str(planted(tmp_path / level)))
    found = opened(snapshot(source, level))

    def uses(tree: Tree) -> list[tuple[UseKind, object, str]]:
        host = read_machine(tree, processes=True).host
        return sorted(
            (
                (use.kind, use.needs, use.carrier.value)
                for use in host.uses
                if use.kind is not UseKind.MEDIATED
            ),
            key=repr,
        )

    assert uses(found) == uses(source)
    assert read_machine(found).groups == read_machine(source).groups
    (root,) = [use for use in read_machine(found).host.uses if "/" in use.what]
    assert root.via == "dm-1"


def scrub(
    *words: str, secrets: Mapping[str, str] | None = None, strict: bool = False
) -> str:
    pseudonyms = Pseudonyms()
    some = Words(secrets or {}, pseudonyms)
    names = Names(pseudonyms, some, strict=strict)
    return command_line(" ".join(words), names, some, strict=strict).rstrip("\n")


@each(
    "word",
    [
        *(
            "intel_iommu=on",
            "iommu=pt",
            "amd_iommu=force_isolation,x",
            "vfio-cpi.ids=1:2",
        ),
        *("vfio-pci.ids=10de:1e04,10de:10f7", "vfio-pci-ids=10de:1e04", "intremap=off"),
        *("pci=noacs,disable_acs_redir=0000:00:1c.0", "pcie_acs_override=downstream"),
        *(
            "rd.driver.pre=vfio-pci",
            "modules_load=vfio_pci",
            "module_blacklist=nouveau",
        ),
        *("video=efifb:off", "console=ttyS0,115200n8", "iommu.passthrough=1", "quiet"),
        *("foo.bar=1", "snd_hda_intel.enable=0,1", "x=0x10", "index=-2", "nointremap"),
        *("hugepagesz=1G", "intel_immou=on", "iommu.strict=0", "kvm.ignore_msrs=1"),
    ],
)
def test_words_about_hardware_stay(word: str) -> None:
    assert scrub(word) == word


@each(
    "word, shown",
    [
        (f"root=UUID={UUID}", "root=UUID=00000000-0000-4000-8000-000000000001"),
        ("root=/dev/sda2", "root=/dev/sda2"),
        ("root=/dev/mapper/vg-root", "root=/dev/mapper/name-1"),
        ("root=PARTUUID=deadbeef-02", "root=PARTUUID=name-1"),
        ("BOOT_IMAGE=/vmlinuz-6.1", "BOOT_IMAGE=/vmlinuz"),
        (r"initrd=\EFI\arch\x.img", r"initrd=\initrd.img"),
        ("initrd=/boot/x", "initrd=/initrd.img"),
        ("key=Word", "key=redacted"),
        ("laptop-of-ada", ""),
        ("1=2", ""),
        ("a -- b", ""),
        ("video=52:54:00:ab:cd:ef", "video=02:00:00:00:00:01"),
        ('root="LABEL=a b"', "root=LABEL=name-1"),
    ],
)
def test_other_words_are_replaced(word: str, shown: str) -> None:
    assert scrub(word) == shown


def test_the_same_name_has_the_same_stand_in() -> None:
    found = scrub("root=UUID=" + UUID, "resume=UUID=" + UUID.upper(), "root=LABEL=x")
    root, resume, label = found.split()
    assert root.partition("=")[2] == resume.partition("=")[2]
    assert label == "root=LABEL=name-1"


def test_a_stand_in_is_given_to_no_second_name() -> None:
    pseudonyms = Pseudonyms(["name-1 is there", "02:00:00:00:00:01"])
    assert pseudonyms.of("name", "name-1") == "name-1"
    assert pseudonyms.of("name", "x") == "name-2"
    assert pseudonyms.swept(MAC) == "02:00:00:00:00:02"
    assert pseudonyms.swept(MAC.upper().replace(":", "-")) == "02:00:00:00:00:02"
    assert pseudonyms.swept("00000000-0000-0000-0000-000000000000").count("0") == 32
    assert pseudonyms.swept("0000:00:1f.2 10de:1e04 02:03:04") == (
        "0000:00:1f.2 10de:1e04 02:03:04"
    )


@each(
    "name, shown",
    [
        *((n, n) for n in ("lo", "eth0", "enp3s0", "enp1s0f1np1", "eno1", "wlp2s0")),
        *((n, n) for n in ("enP2p1s0", "vmbr0", "br0", "bond0.20", "virbr0", "ib0")),
        *((n, n) for n in ("enp3s0f0v12", "tap100i0", "ovs-system", "ens1")),
        *(
            (n, "net-1")
            for n in (MAC_IN_NAME, "wan", "ada", "veth12ab34c", "br-f00ba4")
        ),
    ],
)
def test_interfaces_that_people_named_are_renamed(name: str, shown: str) -> None:
    pseudonyms = Pseudonyms()
    names = Names(pseudonyms, Words({}, pseudonyms), strict=False)
    path = f"sys/devices/pci0000:00/0000:00:08.0/net/{name}/type"
    assert names.path(path) == path.replace(f"/{name}/", f"/{shown}/")
    link = names.link("sys/devices/virtual/net/br0/lower_x", f"../{name}")
    assert link == f"../{shown}"


@each(
    "line, shown",
    [
        ("# ada's card", "#"),
        ("options vfio-pci ids=10de:1e04 disable_vga=1",) * 2,
        ("options vfio-cpi ids=10de:1e04",) * 2,
        ("options vfio-pci.ids=10de:1e04",) * 2,
        ("softdep nouveau pre: vfio-pci",) * 2,
        ("blacklist nouveau",) * 2,
        ("alias pci:v000010DEd* vfio-pci",) * 2,
        ("10de:1e04,10de:10f7",) * 2,
        ("vfio-pci ids=10de:1e04",) * 2,
        ("options kvm ignore_msrs=1",) * 2,
        (
            "options snd-hda-intel index=-2,1 model=ada",
            "options snd-hda-intel index=-2,1 model=redacted",
        ),
        ("install nouveau /bin/false",) * 2,
        ("install x /home/ada/run y", "install x redacted redacted"),
        ("include /home/ada", "#"),
        ("ada wrote this", "#"),
    ],
)
def test_lines_of_modprobe_keep_what_is_read(line: str, shown: str) -> None:
    assert modprobe(f"\n{line}\nblacklist a\n") == f"#\n{shown}\nblacklist a\n"


def test_a_joined_line_stays_where_it_begins() -> None:
    text = "# x\noptions vfio-pci \\\n ids=10de:1e04\nblacklist a\n"
    assert modprobe(text) == "#\noptions vfio-pci ids=10de:1e04\n#\nblacklist a\n"


def test_lists_of_modules_keep_their_lines() -> None:
    text = "# ada\nvfio-pci ids=10de:1e04\nfoo name=ada\n"
    assert module_list(text) == "#\nvfio-pci ids=10de:1e04\nfoo name=redacted\n"


def test_a_serial_number_is_zeroed_and_nothing_else() -> None:
    first = (0x000D | 1 << 16 | 0x110 << 20).to_bytes(4, "little") + bytes(range(1, 13))
    space = bytes(range(256)) + first + serial_number() + b"rest"
    cleaned = without_serial(space)
    assert len(cleaned) == len(space)
    assert cleaned[0x114:0x11C] == bytes(8)
    assert cleaned[:0x114] == space[:0x114]
    assert cleaned[0x11C:] == b"rest"
    for cut in range(len(space)):
        assert len(without_serial(space[:cut])) == cut
    loop = (
        bytes(256)
        + (0x0003 | 1 << 16 | 0x100 << 20).to_bytes(4, "little")
        + b"12345678"
    )
    assert without_serial(loop)[0x104:] == bytes(8)


def test_routes_lead_where_they_led() -> None:
    four = (
        "Iface\tDestination\n"
        "eth0\t00000000\t0102A8C0\t0003\t0\t0\t0\t00000000\t0\t0\t0\n"
        "eth1\t0000A8C0\t00000000\t0001\t0\t0\t0\t0000FFFF\t0\t0\t0\n"
        "eth2\t0005A8C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0\n"
    )
    addresses = Addresses.of(four, "")
    wide, narrow, out = map(
        addresses.address, ("192.168.1.1", "192.168.5.1", "8.8.8.8")
    )
    shown = [addresses.shown(route) for route in addresses.routes]
    assert [str(IPv4Address(network)) for network, _ in shown] == [
        "0.0.0.0",
        wide,
        narrow,
    ]
    assert (out, addresses.address("127.0.0.1")) == ("192.0.2.1", "127.0.0.1")
    assert addresses.address("no address") == "192.0.2.1"
    assert addresses.address("2001:db8::1") == "2001:db8:ffff::1"
