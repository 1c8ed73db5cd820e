"""What is read of tools that list drivers and names, of settings, of IOMMUs."""

from __future__ import annotations

from examples import each
from said import about, cuts, facts, of_host, read
from shared import SHARED, needs_shared

from iommu_inspect.sources.text.parts.command_line import CommandLineReader
from iommu_inspect.sources.text.parts.devbind import DevbindReader
from iommu_inspect.sources.text.parts.driverctl import DriverctlReader
from iommu_inspect.sources.text.parts.iommu_tree import IommuTreeReader
from iommu_inspect.sources.text.parts.lshw import LshwReader
from iommu_inspect.sources.text.parts.modprobe import ModprobeReader

DRIVERCTL = """\
0000:00:00.0 (none) (Starship/Matisse Root Complex)
0000:01:00.0 vfio-pci [*] (TU102 [GeForce RTX 2080 Ti])
0000:07:00.0 igb (I350 Gigabit Network Connection (Adapter I350-T2))
0000:08:00.0 vfio-pci (Ethernet Controller)
"""


def test_driverctl() -> None:
    found = read(DriverctlReader, DRIVERCTL)
    drivers = {
        "0000:00:00.0": [None],
        "0000:01:00.0": ["vfio-pci"],
        "0000:07:00.0": ["igb"],
    }
    assert about(found, "driver") == drivers
    asked = "$ driverctl -v list-devices\n" + DRIVERCTL
    assert about(read(DriverctlReader, asked), "driver") == {
        **drivers,
        "0000:08:00.0": ["vfio-pci"],
    }
    assert about(found, "name")["0000:01:00.0"] == ["TU102 [GeForce RTX 2080 Ti]"]
    wanted = "$ sudo driverctl -v list-overrides\n0000:08:00.0 igb (Ethernet)\n"
    assert about(read(DriverctlReader, wanted), "driver") == {}


@each(
    "line",
    [
        "0000:01:00.0 VGA compatible controller: NVIDIA",
        "0000:01:00.0 is on vfio-pci",
        "01:00.0 vfio-pci",
        "0000:01:00.0",
    ],
)
def test_what_is_no_line_of_driverctl(line: str) -> None:
    assert not DriverctlReader.begins(line)


DEVBIND = """\

Network devices using DPDK-compatible driver
============================================
0000:03:00.0 'I350 Gigabit Network Connection 1521' drv=vfio-pci unused=igb

Network devices using kernel driver
===================================
0000:03:00.1 'I350 Gigabit Network Connection 1521' if=enp3s0f1 drv=igb unused=vfio-pci *Active*
0000:04:00.0 'MT27800 Family [ConnectX-5] 1017' numa_node=0 if=eth2,eth3 drv=mlx5_core unused=

Other Network devices
=====================
0000:05:00.0 'I350 Gigabit Network Connection 1521' unused=igb,vfio-pci

No 'Crypto' devices detected
============================
"""  # noqa: E501


def test_dpdk_devbind() -> None:
    found = read(DevbindReader, DEVBIND)
    assert about(found, "driver") == {
        "0000:03:00.0": ["vfio-pci"],
        "0000:03:00.1": ["igb"],
        "0000:04:00.0": ["mlx5_core"],
        "0000:05:00.0": [None],
    }
    assert about(found, "nodes") == {
        "0000:03:00.1": ["enp3s0f1"],
        "0000:04:00.0": ["eth2", "eth3"],
    }
    line = "0000:05:00.0 'I350 Gigabit Network Connection 1521' unused=igb"
    assert about(read(DevbindReader, line), "driver") == {}


BUSINFO = """\
Bus info          Device      Class          Description
========================================================
                              system         X570
pci@0000:00:01.2              bridge         Starship/Matisse GPP Bridge
pci@0000:03:00.0  enp3s0      network        I211 Gigabit Network Connection
pci@0000:06:00.0              network        Virtio network device
virtio@11         enp6s0      network        Ethernet interface
pci@0000:07:00.0 wlan0 network Wi-Fi 6 AX200
pci@0000:01:00.0  /dev/nvme0  storage        NVMe SSD
pci@0000:08:00.0  /dev/fb0    display        TU102
"""
LSHW = """\
  *-network
       description: Ethernet interface
       bus info: pci@0000:03:00.0
       logical name: enp3s0
       configuration: autonegotiation=on driver=mlx4_en firmware=1.2 link=yes
  *-display
       description: VGA compatible controller
       bus info: pci@0000:08:00.0
       logical name: /dev/fb0
       configuration: depth=32 driver=nvidia latency=0
  *-usb:0
       bus info: usb@1:2
       configuration: driver=hub slots=4 speed=480Mbit/s
"""


def test_lshw() -> None:
    assert about(read(LshwReader, BUSINFO), "nodes") == {
        "0000:03:00.0": ["enp3s0"],
        "0000:07:00.0": ["wlan0"],
    }
    found = read(LshwReader, LSHW)
    assert about(found, "nodes") == {"0000:03:00.0": ["enp3s0"]}
    # ethtool's name of a driver is not always the driver's.
    assert about(found, "driver") == {"0000:08:00.0": ["nvidia"]}


MODPROBE = """\
# /etc/modprobe.d/vfio.conf
options vfio-pci ids=10de:1e04,10de:10f7 disable_vga=1
softdep nvidia pre: vfio-pci
# options vfio-pci ids=dead:beef
blacklist nouveau
install snd_hda_intel /bin/false
alias pci:v000010DEd00001E04sv*sd*bc*sc*i* vfio-pci
options kvm ignore_msrs=1 \\
  report_ignored_msrs=0
"""


def test_modprobe_d() -> None:
    expected = [
        "options vfio-pci ids=10de:1e04,10de:10f7 disable_vga=1",
        "softdep nvidia pre: vfio-pci",
        "blacklist nouveau",
        "install snd_hda_intel /bin/false",
        "alias pci:v000010DEd00001E04sv*sd*bc*sc*i* vfio-pci",
        "options kvm ignore_msrs=1 report_ignored_msrs=0",
    ]
    assert of_host(read(ModprobeReader, MODPROBE), "modprobe") == expected


@each(
    "line,kept",
    [
        ("/etc/modprobe.d/vfio.conf:options vfio-pci ids=10de:1e04", True),
        ("/etc/modprobe.d/vfio.conf:3:options vfio-pci ids=10de:1e04", True),
        ("vfio.conf:options vfio-pci ids=10de:1e04", False),
        ("/etc/modprobe.d/vfio.conf.bak:options vfio-pci ids=10de:1e04", False),
        ("/root/notes.txt:options vfio-pci ids=10de:1e04", False),
        ("/etc/modprobe.d/vfio.conf:#options vfio-pci ids=10de:1e04", False),
    ],
)
def test_what_grep_names_is_read_where_modprobe_reads_it(line: str, kept: bool) -> None:
    assert bool(of_host(read(ModprobeReader, line), "modprobe")) == kept


@each(
    "line",
    [
        "options for you",
        "options for you a=b",
        "options are: a=b",
        "Options vfio-pci ids=10de:1e04",
        "blacklist the driver",
        "install vfio-pci drivers",
        "alias ll='ls -l'",
        "softdep is not needed",
        "I have options vfio-pci ids=10de:1e04",
    ],
)
def test_words_of_people_are_no_settings(line: str) -> None:
    assert not ModprobeReader.begins(line)
    assert facts(read(ModprobeReader, line)) == set()


def test_a_file_that_is_not_read_says_nothing() -> None:
    text = "==> /etc/modprobe.d/old.conf.bak <==\nblacklist nouveau\n"
    assert facts(read(ModprobeReader, text)) == set()


CMDLINE = "BOOT_IMAGE=/vmlinuz-6.8 root=UUID=ab-cd ro quiet intel_iommu=on"


@each(
    "text",
    [
        CMDLINE,
        f"cat /proc/cmdline\n{CMDLINE}",
        f"$ cat /proc/cmdline\n{CMDLINE}",
        f"==> /proc/cmdline <==\n{CMDLINE}",
        f"cat /proc/cmdline {CMDLINE}",
    ],
)
def test_the_running_command_line(text: str) -> None:
    assert of_host(read(CommandLineReader, text), "command_line") == [CMDLINE]


def test_a_command_line_of_another_loader_counts_where_it_was_asked_for() -> None:
    line = "root=UUID=ab-cd rw intel_iommu=on"
    asked = read(CommandLineReader, f"$ cat /proc/cmdline\n{line}")
    assert of_host(asked, "command_line") == [line]
    stub = "initrd=\\amd-ucode.img initrd=\\initramfs.img root=/dev/sda1 rw"
    assert of_host(read(CommandLineReader, stub), "command_line") == [stub]
    for text in (line, f"$ cat /etc/kernel/cmdline\n{line}"):
        assert facts(read(CommandLineReader, text)) == set()


@each(
    "line",
    [
        'GRUB_CMDLINE_LINUX_DEFAULT="quiet intel_iommu=on iommu=pt"',
        '/etc/default/grub:GRUB_CMDLINE_LINUX="intel_iommu=on a=b"',
        "GRUB_CMDLINE_LINUX=''",
        "cat /proc/cmdline\ncat: /proc/cmdline: No such file or directory",
        "cat /proc/cmdline\nand tell me what it says",
        'BOOT_IMAGE=/vmlinuz-6.8", will be passed to user space.',
        "BOOT_IMAGE=/vmlinuz-6.8",
    ],
)
def test_what_is_not_the_running_command_line(line: str) -> None:
    assert facts(read(CommandLineReader, line)) == set()


IOMMUS = """\
IOMMU: dmar0
  IOMMU Group: 50
    Group Device: 0000:97:00.4 - Generic system peripheral [0807]: Intel Corporation Device [8086:0b23]
IOMMU: dmar1
  IOMMU Group: 7
    Group Device: 0000:a7:00.0 - Co-processor [0b40]: Intel Corporation Device [8086:4940] (rev 30)
    Group Device: 0000:a7:00.0 - Co-processor [0b40]: Intel Corporation Device [8086:4940] (rev 30)
"""  # noqa: E501


def test_groups_below_iommus() -> None:
    found = read(IommuTreeReader, IOMMUS)
    assert about(found, "group") == {"0000:97:00.4": ["50"], "0000:a7:00.0": ["7"]}
    assert about(found, "class_code")["0000:a7:00.0"] == [0x0B4000]
    assert about(found, "device") == {
        "0000:97:00.4": [0x0B23],
        "0000:a7:00.0": [0x4940],
    }
    headless = IOMMUS.partition("\n")[2].partition("IOMMU: dmar1")[0]
    assert facts(read(IommuTreeReader, headless)) == set()


def test_what_is_cut_off_anywhere_says_no_other_facts() -> None:
    for make, text in (
        (DriverctlReader, DRIVERCTL),
        (DevbindReader, DEVBIND),
        (LshwReader, BUSINFO),
        (LshwReader, LSHW),
        (ModprobeReader, MODPROBE),
        (CommandLineReader, CMDLINE),
        (IommuTreeReader, IOMMUS),
    ):
        whole = facts(read(make, text))
        assert whole
        for part in cuts(text):
            assert facts(read(make, part)) <= whole, part[-80:]


@needs_shared
def test_the_posted_list_of_iommus_states_its_groups() -> None:
    folder = SHARED / "iommu_tools"
    text = (folder / "sapphire-rapids-dual-dmar-tree.txt").read_text()
    lines = (folder / "groups.tsv").read_text().splitlines()
    rows = [line.split("\t") for line in lines if not line.startswith("#")]
    assert about(read(IommuTreeReader, text), "group") == {r[1]: [r[0]] for r in rows}
