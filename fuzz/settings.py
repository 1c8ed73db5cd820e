"""Fuzz the readers of settings and of the kernel's tables: ``python -m fuzz.settings``.

Files of modprobe.d, command lines, lists of modules, mounts, swaps, routes and the like
are made of the words that they consist of, put into a host, and asked about.
"""

from __future__ import annotations

import random
import sys
from functools import cache
from pathlib import Path

from fuzz.asking import check, commands
from fuzz.cases import file, link, parsed, written
from fuzz.mutate import mutated
from fuzz.run import Target, main
from iommu_inspect.sources.tree.opening import open_path

__all__ = ["TARGET", "make"]

_FIXTURES = Path(__file__).resolve().parents[1] / "tests" / "fixtures" / "sysfs"
_HOSTS = ("ids-two-cards", "host-lives-here", "settings-misspelt", "in-use")
_MODPROBE = (
    *("options", "softdep", "blacklist", "alias", "install", "remove", "#", "include"),
    *("vfio-pci", "vfio_pci", "kvm", "nvidia", "snd-hda-intel", "vfio_iommu_type1"),
    *("ids=10de:1e04,10de:10f7", "ids=10de:1e04:*", "ids=", "ids=,", "ids=zz:1"),
    *("ids=8086:100e:ffff:ffff:30000:ff00", "disable_vga=1", "disable_idle_d3=1"),
    *("pre:", "post:", "vfio-pci", "allow_unsafe_interrupts=1", "=", "\\", '"', "'"),
    *("pci:v000010DEd00001E04sv*sd*bc03sc*i*", "/bin/false", "ids='10de:1e04'", "\t"),
)
_CMDLINE = (
    *("intel_iommu=on", "amd_iommu=off", "iommu=pt", "iommu=off,pt", "intel_iommu=,"),
    *("vfio-pci.ids=10de:1e04", "vfio_pci.ids=10de:1e04,", 'x="a b', "quiet", "--"),
    *("pcie_acs_override=downstream,multifunction", "pcie_acs_override=id:8086:7ab8"),
    *("pci=noats,disable_acs_redir=00:01.0;01:00.0", "pci=config_acs=11x@00:01.0"),
    *("modprobe.blacklist=nouveau", "module_blacklist=x", "rd.driver.pre=vfio-pci"),
    *("root=/dev/mapper/x", "video=efifb:off", "iommu.passthrough=1", "=", "\0", "ro"),
    *(
        "initcall_blacklist=sysfb_init",
        "intremap=off",
        "nox2apic",
        "init=/bin/sh",
        "\n",
    ),
)
_MOUNTS = (
    *("22", "1", "0:20", "8:1", "259:2", "0:0", "/", "/boot", "/dev/sda1", "/dev/dm-0"),
    *("rw,relatime", "shared:1", "-", "ext4", "btrfs", "zfs", "rpool/ROOT", "nfs"),
    *("overlay", "lowerdir=/,upperdir=/x", "fuse", "\\040", "\\134", "\\8", "tmpfs"),
    *(
        "subvol=/@,device=/dev/sdb",
        "host:/export",
        "UUID=1-2",
        "bcachefs",
        "a:b:c",
        "ro",
    ),
)
_TABLES = {
    "proc/swaps": (
        *("Filename", "/dev/dm-1", "/swap\\040file", "partition", "file", "0"),
    ),
    "proc/net/route": (
        *("Iface", "Destination", "eth0", "br0", "00000000", "0101A8C0", "0003", "zz"),
    ),
    "proc/net/ipv6_route": (*("0" * 32, "00", "fe80" + "0" * 28, "eth0", "00000003"),),
    "etc/crypttab": (
        *("luks-1", "UUID=1", "/dev/nvme0n1p3", "none", "discard", "#", "PARTUUID=x"),
    ),
    "proc/mdstat": (*("Personalities", ":", "md0", "active", "raid1", "sda1[0](F)"),),
    "proc/cpuinfo": (
        *("vendor_id", ":", "GenuineIntel", "AuthenticAMD", "flags", "vmx", "svm\n"),
        *("hypervisor", "address sizes", "39 bits physical, 48 bits virtual"),
    ),
    "proc/interrupts": (
        *("CPU0", "0:", "IR-PCI-MSI", "524288-edge", "DMAR-MSI", "\n"),
    ),
    "proc/self/limits": (
        *("Max locked memory", "unlimited", "8388608", "bytes", "-1", "1e9", "\n"),
    ),
    "proc/iomem": (
        *("00000000-ffffffff", ":", "PCI Bus 0000:00", "efifb", "\n", "BAR 1"),
    ),
    "proc/modules": (
        *("vfio_pci", "16384", "0", "-", "Live", "0x0", "(OE)", "kvm,x,", "\n"),
    ),
    "etc/os-release": (
        *("ID=", "debian", "ID_LIKE=", '"rhel fedora"', "\n", "NAME='", "$"),
    ),
    "etc/default/grub": (
        *("GRUB_CMDLINE_LINUX=", '"quiet', "iommu=pt", "${X}", '"', "\\", "\n", "#"),
    ),
    "lib/modules/6.12.0/modules.alias": (
        *("alias", "pci:v000010DEd*sv*sd*bc03sc*i*", "vfio_pci:v*d*sv*sd*bc*sc*i*"),
        *(
            "nouveau",
            "mlx5_vfio_pci",
            "\n",
            "pci:v[0-9]*d?",
            "vfio_pci:vd",
            "[",
            "*" * 60,
        ),
    ),
    "lib/modules/6.12.0/modules.builtin": (
        *("kernel/drivers/vfio/pci/vfio-pci.ko", "\n", "vfio", "a/b.ko.xz", "/"),
    ),
    "lib/modules/6.12.0/modules.dep": (
        *("a.ko:", "b.ko", "\n", "vfio-pci.ko.zst:", ":"),
    ),
    "etc/modules": (*("vfio_pci", "vfio-pci", "#", "\n", "ids=10de:1e04", "kvm"),),
    "etc/mkinitcpio.conf": (
        *("MODULES=(", "vfio_pci", ")", "HOOKS=(", "modconf", "\n", '"', "#", "+=("),
    ),
    "etc/dracut.conf.d/v.conf": (
        *("add_drivers+=", '" vfio_pci "', "force_drivers+=", "\n", "'", "\\"),
    ),
    "etc/initramfs-tools/modules": (*("vfio", "vfio_pci ids=1:2", "\n", "#"),),
    "sys/kernel/iommu_groups/1/reserved_regions": (
        *(
            "0x00000000fee00000",
            "0x00000000feefffff",
            "msi",
            "direct",
            "\n",
            "-1",
            "0x",
        ),
        *("direct-relaxable", "reserved", "0xffffffffffffffffffff", "unknown"),
    ),
}
_LINKS = ("proc/7/fd/3", "proc/7/fd/4", "proc/7/exe", "sys/class/net/eth0/device")
_LED_TO = (
    "/dev/vfio/1",
    "/dev/dri/card0",
    "socket:[7]",
    "/x (deleted)",
    "anon_inode:kvm",
)


@cache
def _host(name: str) -> tuple[str, ...]:
    return tuple(written(open_path(str(_FIXTURES / name))))


def _said(words: tuple[str, ...], dice: random.Random) -> bytes:
    between = (" ", " ", " ", "\n", "\n", "\t", "", ",", "  ")
    count = dice.choice((1, 5, 20, 60))
    text = "".join(dice.choice(words) + dice.choice(between) for _ in range(count))
    data = text.encode()
    return mutated(data, dice) if dice.randrange(4) == 0 else data


def make(dice: random.Random) -> bytes:
    """Return a host whose settings were never seen like this."""
    lines = list(_host(dice.choice(_HOSTS)))
    folders = ("etc", "run", "usr/lib", "lib", "usr/local/lib")
    for number in range(dice.randrange(4)):
        path = f"{dice.choice(folders)}/modprobe.d/{'xyz'[number % 3]}.conf"
        lines.append(file(path, _said(_MODPROBE, dice)))
    if dice.randrange(2):
        lines.append(file("proc/cmdline", _said(_CMDLINE, dice)))
    for place in ("proc/1/mountinfo", "proc/self/mountinfo", "proc/mounts"):
        if dice.randrange(4) == 0:
            lines.append(file(place, _said(_MOUNTS, dice)))
    for place in dice.sample(list(_TABLES), 4):
        lines.append(file(place, _said(_TABLES[place], dice)))
    if dice.randrange(4) == 0:
        iort = b"IORT" + dice.randbytes(dice.randrange(200))
        lines.append(file("sys/firmware/acpi/tables/IORT", iort))
    lines.append(link(dice.choice(_LINKS), dice.choice(_LED_TO)))
    case = parsed("\n".join(lines).encode("utf-8", "surrogateescape"))
    asked = commands(case, dice, 4)
    text = _said((*_MODPROBE, *_CMDLINE, *_CMDLINE), dice).decode("utf-8", "replace")
    more = [file("proc/cmdline", _said(_CMDLINE, dice))]
    whole = "\n".join([*asked, *lines, "@ B", *more, "@ T", text])
    return whole.encode("utf-8", "surrogateescape")


TARGET = Target("settings", make, check)

if __name__ == "__main__":
    sys.exit(main(TARGET))
